"""Query expressions: what they find, and that nothing but a question can be asked with them."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import Refused
from storage.people import directory, writing
from storage.postgres.pool import Pool
from storage.subscriber_query.condition import condition
from storage.subscriber_query.tokens import LONGEST_QUERY, QueryError

PEOPLE: list[tuple[str, str, dict[str, Any]]] = [
    ("ann@example.com", "Ann O'Hara", {"city": "Bengaluru", "projects": 3, "likes_tea": True,
                                       "stack": {"languages": ["go", "python"], "first": "go"}}),
    ("bob@example.org", "Bob", {"city": "Oslo", "projects": "many", "joined": "2024-05-01"}),
    ("cleo@example.com", "Cleo", {"projects": 12, "likes_tea": False, "joined": "2025-01-31T10:00:00Z"}),
    ("dan@example.net", "", {}),
]  # fmt: skip


@pytest.fixture
def people(pool: Pool) -> Pool:
    with pool.transaction() as cursor:
        for email, name, attributes in PEOPLE:
            directory.add_recipient(cursor, email, name, attributes)
        writing.set_status(cursor, [2], "blocklisted")
    return pool


def found(pool: Pool, query: str) -> list[str]:
    wanted = condition(query)
    with pool.transaction() as cursor:
        cursor.execute(
            "SELECT email FROM recipients AS r WHERE " + wanted.sql + " ORDER BY number", wanted.parameters
        )
        return [email.split("@")[0] for (email,) in cursor.fetchall()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # As listmonk's guide writes them.
        ("subscribers.email = 'bob@example.org'", "bob"),
        ("subscribers.email LIKE '%@example.com'", "ann cleo"),
        ("subscribers.email LIKE 'b%' AND subscribers.status = 'blocklisted'", "bob"),
        ("subscribers.attribs->>'city' = 'Bengaluru' AND (subscribers.attribs->>'projects')::INT > 2", "ann"),
        (
            "subscribers.status = 'enabled' AND (subscribers.attribs->>'likes_tea')::BOOLEAN = true AND"
            " subscribers.attribs->'stack'->'languages' ? 'python' AND"
            " subscribers.attribs->'stack'->>'first' = 'go'",
            "ann",
        ),
        # The rest of the language.
        ("name LIKE 'Ann O''Hara';", "ann"),
        ("email ILIKE 'ANN@%' or NAME = 'Cleo'", "ann cleo"),
        ("subscribers.id IN (1, 3, 99)", "ann cleo"),
        ("id NOT IN (1, 3) AND NOT name = ''", "bob"),
        ("attribs->>'city' IS NULL", "cleo dan"),
        ("NOT (attribs->'stack' IS NULL)", "ann"),
        ("attribs->'stack'->'languages'->>1 = 'python'", "ann"),
        ("(attribs->>'projects')::numeric BETWEEN 3 AND 11.5", "ann"),
        ("(attribs->>'likes_tea')::bool", "ann"),
        ("(attribs->>'joined')::date > '2024-12-31'", "cleo"),
        ("created_at > '2020-01-01' AND created_at::date >= '2020-01-01'::date", "ann bob cleo dan"),
        ("updated_at < '2020-01-01T00:00:00+02:00'", ""),
        ("id = '2'", "bob"),
        ("id > -1 AND id <= +2", "ann bob"),
        ("uuid = '00000000-0000-4000-8000-000000000000' OR uuid IS NULL", ""),
        ("uuid::text LIKE '%-%'", "ann bob cleo dan"),
        ("true", "ann bob cleo dan"),
        ("false OR (name <> 'Bob') = false", "bob"),
        ("email NOT LIKE '%example%' IS NULL", ""),
    ],
)
def test_a_query_finds_whom_it_means(people: Pool, query: str, expected: str) -> None:
    assert found(people, query) == expected.split()


def test_one_person_with_an_odd_attribute_does_not_spoil_the_query(people: Pool) -> None:
    assert found(people, "(attribs->>'projects')::int >= 3") == ["ann", "cleo"]


@pytest.mark.parametrize(
    ("query", "at", "reason"),
    [
        ("", 0, "not the end"),
        ("email", 0, "a comparison was expected, not a text"),
        ("email = ", 7, "not the end"),
        ("email == 'a'", 7, "'='"),
        ("email = 'a", 8, "not closed"),
        ('email = "a"', 8, "single quotation marks"),
        ("email = 'a' AND", 15, "the end"),
        ("(email = 'a'", 12, "')' was expected"),
        ("email = 'a')", 11, "')' was not expected"),
        ("email = 'a' 'b'", 12, "'b' was not expected"),
        ("email = 5", 6, "cast the attribute"),
        ("attribs->>'age' > 5", 16, "cast the attribute"),
        ("attribs->>'age'::int > 5", 15, "parentheses"),
        ("attribs->'a' = 'b'", 15, "json"),
        ("email->>'a' = 'b'", 5, "->> follows attribs"),
        ("subscribers.password = 'a'", 12, "no column 'password'"),
        ("lists.id = 1", 0, "only columns of subscribers"),
        ("id = NULL", 5, "IS NULL"),
        ("id = 1e5", 6, "'e5' was not expected"),
        ("id = 'many'", 5, "no number"),
        ("id = 'NaN'", 5, "no number"),
        ("uuid = 'x'", 7, "no uuid"),
        ("created_at > 'yesterday'", 13, "no instant"),
        ("name LIKE 'a\\'", 10, "backslash"),
        ("name LIKE name", 5, "pattern"),
        ("id LIKE '1'", 3, "compares a text"),
        ("status::regclass = 'a'", 8, "no type"),
        ("EXISTS (SELECT 1)", 0, "functions and subqueries"),
        ("pg_sleep(10) IS NULL", 0, "functions and subqueries"),
        ("name = 'a' -- or more", 11, "'-' was not expected"),
        ("name = 'a'; DROP TABLE recipients", 10, "means nothing here"),
        ("name = $1", 7, "means nothing here"),
        ("name = E'a'", 7, "no column 'e'"),
        ("name = 'a\x00'", 9, "NUL"),
        ("(" * 51 + "true" + ")" * 51, 50, "nested"),
        ("NOT " * 51 + "true", 200, "nested"),
        ("id IN (" + ",".join("1" * 1001) + ")", 3, "at most 1,000"),
        ("name = '" + "a" * LONGEST_QUERY + "'", LONGEST_QUERY, "at most 5,000"),
        ("id = " + "1" * 41, 5, "40 digits"),
    ],
)
def test_what_is_no_query_is_refused_at_its_place(query: str, at: int, reason: str) -> None:
    with pytest.raises(QueryError, match="query: ") as refused:
        condition(query)
    assert refused.value.position == at
    assert reason in refused.value.reason
    assert isinstance(refused.value, Refused)
    assert refused.value.field == "query"


@pytest.mark.parametrize(
    "attempt",
    [
        "x' OR '1'='1",
        "'; DROP TABLE recipients; --",
        "%s",
        "%(name)s",
        "\\'; SELECT 1",
        "{0}",
        "$$ $$",
        "a\\",
    ],
)
def test_whatever_stands_in_a_literal_is_only_a_value(people: Pool, attempt: str) -> None:
    written = attempt.replace("'", "''")
    assert found(people, f"name = '{written}' OR attribs->>'{written}' = '{written}'") == []
    with people.transaction() as cursor:
        cursor.execute("UPDATE recipients SET name = %s WHERE number = 4", (attempt,))
    assert found(people, f"name = '{written}'") == ["dan"]
