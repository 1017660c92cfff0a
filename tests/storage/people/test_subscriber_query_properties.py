"""Random expressions find exactly those whom a plain reading of SQL's three-valued logic finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.people import directory, writing
from storage.postgres.pool import Pool
from storage.subscriber_query.condition import condition
from storage.subscriber_query.tokens import QueryError

Person = dict[str, Any]
PEOPLE: list[Person] = [
    {"email": "ann@example.com", "name": "Ann", "attribs": {"n": 3, "t": "a", "b": True, "d": "2024-02-29"}},
    {"email": "bob@example.org", "name": "Bob_%", "attribs": {"n": "-4", "t": "B", "b": "no",
                                                              "d": "2024-03-01T10:00"}},
    {"email": "cleo@example.com", "name": "", "attribs": {"n": "many", "t": None, "b": 2, "d": "soon"}},
    {"email": "dan@example.net", "name": "a'b\\c", "attribs": {"n": "2.50", "t": "'", "in": {"t": "B"}}},
    {"email": "eve@example.net", "name": "Ann", "attribs": {}},
]  # fmt: skip


@dataclass(frozen=True)
class Operand:
    """As it is written, and what it is of a person: None for NULL."""

    text: str
    of: Callable[[Person], Any]


@dataclass(frozen=True)
class Expression:
    text: str
    holds: Callable[[Person], bool | None]


def attribute(person: Person, *path: str) -> str | None:
    value: Any = person["attribs"]
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None or isinstance(value, str):
        return value
    return {True: "true", False: "false"}.get(value) if isinstance(value, bool) else str(value)


def number(text: str | None) -> Decimal | None:
    return Decimal(text) if text and re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text) else None


def whole(text: str | None) -> Decimal | None:
    return Decimal(text) if text and re.fullmatch("[+-]?[0-9]+", text) else None


def truth(text: str | None) -> bool | None:
    return {"true": True, "false": False, "no": False}.get(text or "")


def day(text: str | None) -> str | None:
    return text[:10] if text and re.match(r"\d{4}-\d\d-\d\d", text) else None


TEXTS = [
    Operand("subscribers.email", lambda p: p["email"]),
    Operand("name", lambda p: p["name"]),
    Operand("Subscribers.Status", lambda p: p["status"]),
    Operand("subscribers.attribs->>'t'", lambda p: attribute(p, "t")),
    Operand("attribs->'in'->>'t'", lambda p: attribute(p, "in", "t")),
]
NUMBERS = [
    Operand("subscribers.id", lambda p: Decimal(p["id"])),
    Operand("(attribs->>'n')::numeric", lambda p: number(attribute(p, "n"))),
    Operand("(subscribers.attribs->>'n')::INT", lambda p: whole(attribute(p, "n"))),
]
DAYS = [Operand("(attribs->>'d')::date", lambda p: day(attribute(p, "d")))]
FLAGS = [Operand("(attribs->>'b')::boolean", lambda p: truth(attribute(p, "b")))]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip

given_texts = st.text("aABb_%'\\x.@", max_size=4) | st.sampled_from(
    ["Ann", "ann@example.com", "enabled", "B"]
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def literals(kind: list[Operand]) -> st.SearchStrategy[Operand]:
    if kind is TEXTS:
        return given_texts.map(lambda text: Operand(quoted(text), lambda _: text))
    if kind is NUMBERS:
        numbers = st.integers(-9, 9).map(str) | st.sampled_from(["2.5", "-4.0", "0.5"])
        return numbers.map(lambda text: Operand(text, lambda _: Decimal(text)))
    if kind is DAYS:
        days = st.sampled_from(["2024-02-29", "2024-03-01", "2023-12-31"])
        return days.map(lambda text: Operand(quoted(text), lambda _: text))
    return st.booleans().map(lambda flag: Operand(str(flag).upper(), lambda _: flag))


def compared(left: Operand, word: str, right: Operand) -> Expression:
    def holds(person: Person) -> bool | None:
        a, b = left.of(person), right.of(person)
        return None if a is None or b is None else OPERATORS[word](a, b)

    return Expression(f"{left.text} {word} {right.text}", holds)


@st.composite
def comparisons(draw: st.DrawFn) -> Expression:
    kind = draw(st.sampled_from([TEXTS, NUMBERS, DAYS, FLAGS]))
    right = draw(literals(kind) | st.sampled_from(kind))
    return compared(draw(st.sampled_from(kind)), draw(st.sampled_from(sorted(OPERATORS))), right)


@st.composite
def memberships(draw: st.DrawFn) -> Expression:
    kind = draw(st.sampled_from([TEXTS, NUMBERS]))
    one, among = draw(st.sampled_from(kind)), draw(st.lists(literals(kind), min_size=1, max_size=4))
    negated = draw(st.booleans())

    def holds(person: Person) -> bool | None:
        value = one.of(person)
        found = None if value is None else value in [other.of(person) for other in among]
        return opposite(found) if negated else found

    word = "NOT IN" if negated else "in"
    return Expression(f"{one.text} {word} ({', '.join(other.text for other in among)})", holds)


@st.composite
def likenesses(draw: st.DrawFn) -> Expression:
    one, pattern = (
        draw(st.sampled_from(TEXTS)),
        draw(given_texts.filter(lambda text: not text.endswith("\\"))),
    )
    word, negated = draw(st.sampled_from(["LIKE", "ILIKE"])), draw(st.booleans())
    matches = re.compile(as_regex(pattern), re.DOTALL | (re.IGNORECASE if word == "ILIKE" else 0)).fullmatch

    def holds(person: Person) -> bool | None:
        value = one.of(person)
        found = None if value is None else matches(value) is not None
        return opposite(found) if negated else found

    return Expression(f"{one.text} {'NOT ' if negated else ''}{word} {quoted(pattern)}", holds)


def as_regex(pattern: str) -> str:
    def parts() -> Iterator[str]:
        escaped = False
        for character in pattern:
            if escaped or character not in "%_\\":
                yield re.escape(character)
                escaped = False
            elif character == "\\":
                escaped = True
            else:
                yield ".*" if character == "%" else "."

    return "".join(parts())


@st.composite
def presences(draw: st.DrawFn) -> Expression:
    one, negated = draw(st.sampled_from([*TEXTS, *NUMBERS, *FLAGS])), draw(st.booleans())
    return Expression(
        f"{one.text} IS {'NOT ' if negated else ''}NULL", lambda p: (one.of(p) is None) is not negated
    )


def opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def joined(parts: list[Expression], word: str) -> Expression:
    decides = word == "OR"

    def holds(person: Person) -> bool | None:
        values = [part.holds(person) for part in parts]
        return decides if decides in values else None if None in values else not decides

    return Expression("(" + f" {word} ".join(part.text for part in parts) + ")", holds)


leaves = comparisons() | memberships() | likenesses() | presences()
expressions = st.recursive(
    leaves,
    lambda inner: (
        inner.map(lambda e: Expression(f"NOT ({e.text})", lambda p: opposite(e.holds(p))))
        | st.builds(joined, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["AND", "OR"]))
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def people(databases: Any) -> Iterator[Pool]:
    url = databases.create(migrated=True)
    pool = Pool(url, size=1)
    with pool.transaction() as cursor:
        for person in PEOPLE:
            person["id"] = directory.add_recipient(cursor, person["email"], person["name"], person["attribs"])
            person["status"] = "enabled"
        writing.set_status(cursor, [PEOPLE[1]["id"]], "blocklisted")
        PEOPLE[1]["status"] = "blocklisted"
    yield pool
    pool.close()
    databases.drop(url)


def found(pool: Pool, query: str) -> list[int]:
    wanted = condition(query)
    with pool.transaction() as cursor:
        cursor.execute(
            "SELECT number FROM recipients AS r WHERE " + wanted.sql + " ORDER BY number", wanted.parameters
        )
        return [number for (number,) in cursor.fetchall()]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=expressions)
def test_postgresql_finds_whom_a_plain_reading_finds(people: Pool, expression: Expression) -> None:
    expected = [person["id"] for person in PEOPLE if expression.holds(person) is True]
    assert found(people, expression.text) == expected


words = st.sampled_from(
    "subscribers . email name attribs -> ->> ? :: int date ( ) , = < LIKE IN IS NOT NULL AND OR true 'a' '' 1"
    " -1 ; -- /* */ $1 %s SELECT pg_sleep \" \\ '".split()
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.lists(words, max_size=12).map(" ".join) | st.text(max_size=40))
def test_anything_else_is_an_error_or_a_question_that_postgresql_understands(
    people: Pool, query: str
) -> None:
    try:
        wanted = condition(query)
    except QueryError as error:
        place = error.position
    else:
        assert "SELECT" not in wanted.sql
        assert ";" not in wanted.sql
        found(people, query)
        return
    assert 0 <= place <= len(query)
