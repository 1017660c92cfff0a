"""What is kept of how many people a list has is what counting would find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from storage.audience.size import about, audience_size, of_each_list, sample
from storage.people import finding, lists, writing

EVERYBODY = """
    SELECT count(*), count(*) FILTER (WHERE r.status = 'blocklisted'),
           count(*) FILTER (WHERE NOT EXISTS (SELECT FROM subscriptions s WHERE s.recipient = r.number))
    FROM recipients r WHERE r.status <> 'erased'
"""


@pytest.fixture
def opened(database_url: str) -> Iterator[Callable[[], connection]]:
    made: list[connection] = []

    def open_one() -> connection:
        made.append(psycopg2.connect(database_url))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


@pytest.fixture
def people(admin: connection) -> list[int]:
    """Two hundred, on no list yet."""
    with admin.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recipients (email) SELECT 'p' || n || '@example.org' FROM generate_series(1, 200) n"
            " RETURNING number"
        )
        return [number for (number,) in cursor.fetchall()]


@pytest.fixture
def two_lists(admin: connection) -> tuple[int, int]:
    with admin.cursor() as cursor:
        news = lists.create(cursor, {"name": "News"})
        return news, lists.create(cursor, {"name": "Offers", "optin": "double"})


def check(cursor: Any) -> None:
    cursor.execute("SELECT list, status, count(*) FROM subscriptions GROUP BY list, status")
    counted = {(number, status): people for number, status, people in cursor.fetchall()}
    cursor.execute("SELECT number FROM lists")
    numbers = [number for (number,) in cursor.fetchall()]
    kept = lists.sizes(cursor, numbers)
    assert {(one, status): n for one in kept for status, n in kept[one].items()} == counted
    assert of_each_list(cursor) == {number: audience_size(cursor, [number]) for number in numbers}
    cursor.execute(EVERYBODY)
    total, blocklisted, orphans = cursor.fetchone()
    assert finding.totals(cursor) == {"total": total, "blocklisted": blocklisted, "orphans": orphans}


def test_every_way_onto_a_list_and_off_it_is_counted(
    admin: connection, people: list[int], two_lists: tuple[int, int]
) -> None:
    news, offers = two_lists
    with admin.cursor() as cursor:
        for change in (
            lambda: writing.subscribe(cursor, people, [news, offers], "unconfirmed"),
            lambda: writing.subscribe(cursor, people[:50], [offers], "confirmed", again=False),
            lambda: writing.unsubscribe(cursor, people[40:60], None),
            lambda: writing.subscribe(cursor, [people[45]], [news], "confirmed"),
            lambda: writing.take_off(cursor, people[100:110], [news]),
            lambda: writing.set_status(cursor, people[:7], "blocklisted"),
            lambda: writing.set_status(cursor, people[7:9], "disabled"),
            lambda: writing.erase(cursor, people[5:20]),
            lambda: writing.set_status(cursor, people[:3], "enabled"),
            lambda: lists.delete(cursor, offers),
        ):
            change()
            check(cursor)


def test_writers_at_the_same_time_neither_wait_nor_lose_anything(
    opened: Callable[[], connection], admin: connection, people: list[int], two_lists: tuple[int, int]
) -> None:
    news, _ = two_lists
    with admin.cursor() as cursor:
        writing.subscribe(cursor, people[:10], [news], "confirmed")
    slow, quick, other = opened(), opened(), opened()
    with slow.cursor() as cursor:
        writing.subscribe(cursor, people[10:150], [news], "confirmed")
    for person, writer in zip(people[150:180], (quick, other) * 15, strict=True):
        with writer.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            writing.subscribe(cursor, [person], [news], "confirmed")
            writing.unsubscribe(cursor, [person - 145], None)
        writer.commit()
    with admin.cursor() as cursor:
        check(cursor)
        slow.commit()
        check(cursor)
        writing.subscribe(cursor, people[190:], [news], "confirmed")
        check(cursor)
        cursor.execute("SELECT count(*) FROM list_sizes WHERE list = %s", (news,))
        assert cursor.fetchone() == (2,), "what the others left behind is gathered"


def test_what_is_rolled_back_counts_for_nothing(
    opened: Callable[[], connection], admin: connection, people: list[int], two_lists: tuple[int, int]
) -> None:
    writer = opened()
    with writer.cursor() as cursor:
        writing.subscribe(cursor, people, list(two_lists), "confirmed")
    writer.rollback()
    with admin.cursor() as cursor:
        check(cursor)


def test_people_on_several_large_lists_are_reckoned_from_a_sample(
    admin: connection, two_lists: tuple[int, int]
) -> None:
    news, offers = two_lists
    with admin.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recipients (email, status) SELECT 'q' || n || '@example.org',"
            " CASE WHEN n % 50 = 0 THEN 'disabled' ELSE 'enabled' END FROM generate_series(1, 60000) n"
        )
        for number, each in ((news, 2), (offers, 3)):
            cursor.execute(
                "INSERT INTO subscriptions (list, recipient, status)"
                " SELECT %s, number, 'confirmed' FROM recipients WHERE number %% %s = 0",
                (number, each),
            )
        cursor.execute("ANALYZE recipients, subscriptions")
        sizes, found = of_each_list(cursor), sample(cursor)
        exact = audience_size(cursor, [news, offers])
    assert abs(about(sizes, [news, offers], found) - exact) < exact * 0.02
    assert about(sizes, [news], found) == round(sizes[news], -2)
    assert sum(people for _, people in found) < 10_000


def test_in_a_small_directory_the_sample_is_everybody(
    admin: connection, people: list[int], two_lists: tuple[int, int]
) -> None:
    news, offers = two_lists
    with admin.cursor() as cursor:
        writing.subscribe(cursor, people[:150], [news], "confirmed")
        writing.subscribe(cursor, people[100:], [offers], "confirmed")
        found = dict(sample(cursor))
    assert found == {frozenset({news}): 100, frozenset({news, offers}): 50, frozenset({offers}): 50}
