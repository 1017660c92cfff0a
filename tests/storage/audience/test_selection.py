from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.audience.selection import next_ranges
from storage.people import lists
from storage.postgres.pool import Pool

_names = count()


def add(cursor: Any, number: int, status: str, subscriptions: dict[int, str]) -> None:
    email = None if status == "erased" else f"reader{number}@example.com"
    cursor.execute(
        "INSERT INTO recipients (number, email, status) VALUES (%s, %s, %s)", (number, email, status)
    )
    for chosen, kind in subscriptions.items():
        cursor.execute("INSERT INTO subscriptions VALUES (%s, %s, %s)", (chosen, number, kind))


def all_ranges(cursor: Any, lists: list[int], limit: int) -> list[tuple[list[list[int]], int]]:
    found: list[tuple[list[list[int]], int]] = []
    while page := next_ranges(cursor, lists, found[-1][0][-1][1] if found else 0, limit):
        assert sum(n for _, n in page) <= limit
        found += page
    return found


PEOPLE = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from(["enabled", "enabled", "enabled", "disabled", "blocklisted", "erased"]),
        st.sampled_from([None, "confirmed", "unconfirmed", "unsubscribed"]),
        st.sampled_from([None, "confirmed", "unconfirmed", "unsubscribed"]),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE, limit=st.integers(1, 12))
def test_everybody_who_may_be_mailed_is_in_exactly_one_range(
    pool: Pool, people: list[tuple[int, str, str | None, str | None]], limit: int
) -> None:
    with pool.connection() as connection, connection.cursor() as cursor:
        single = lists.create(cursor, {"name": f"single {next(_names)}", "optin": "single"})
        double = lists.create(cursor, {"name": f"double {next(_names)}", "optin": "double"})
        number, expected = 0, []
        for step, status, on_single, on_double in people:
            number += step
            kinds = {single: on_single, double: on_double}
            add(cursor, number, status, {chosen: kind for chosen, kind in kinds.items() if kind})
            is_subscribed = on_single in ("confirmed", "unconfirmed") or on_double == "confirmed"
            if status == "enabled" and is_subscribed:
                expected.append(number)
        found = all_ranges(cursor, [single, double], limit)
        people_found = [n for ranges, _ in found for first, last in ranges for n in range(first, last + 1)]
        assert people_found == expected
        assert sum(n for _, n in found) == len(expected)
        assert all_ranges(cursor, [], limit) == []


def test_chunks_hold_a_thousand_people_and_a_range_holds_those_in_a_row(pool: Pool) -> None:
    with pool.transaction() as cursor:
        chosen = lists.create(cursor, {"name": "everybody"})
        cursor.execute(
            "INSERT INTO recipients (number, email) SELECT n, 'reader' || n || '@example.com'"
            " FROM generate_series(1, 2500) n WHERE n <> 1500"
        )
        cursor.execute("INSERT INTO subscriptions SELECT %s, number, 'confirmed' FROM recipients", (chosen,))
        assert next_ranges(cursor, [chosen]) == [
            ([[1, 1000]], 1000),
            ([[1001, 1499], [1501, 2001]], 1000),
            ([[2002, 2500]], 499),
        ]


@pytest.mark.parametrize("kind", ["unsubscribed", "unconfirmed"])
def test_a_long_stretch_of_people_who_may_not_be_mailed_is_not_taken_for_the_end(
    pool: Pool, kind: str
) -> None:
    with pool.transaction() as cursor:
        chosen = lists.create(cursor, {"name": "newsletter", "optin": "double"})
        for number in range(1, 30):
            add(cursor, number, "enabled", {chosen: kind})
        add(cursor, 30, "enabled", {chosen: "confirmed"})
        assert next_ranges(cursor, [chosen], limit=5) == [([[30, 30]], 1)]
