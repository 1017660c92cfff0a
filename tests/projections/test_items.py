from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.delivery.delivery import Status
from projections.queue.items import Item, WantedItems, item, items, people_like
from storage.postgres.pool import Pool
from tests.projections.conftest import Writing
from tests.projections.histories import History
from tests.projections.random_histories import histories

QUEUED, SENT, FAILED, CANCELLED = 0, 2, 3, 4


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(history=histories(), data=st.data())
def test_the_pages_together_hold_each_delivery_that_the_filters_let_through_once(
    writing: Writing, history: History, data: st.DataObject
) -> None:
    oracle = writing.write(history)
    writing.runner.catch_up()
    campaign = data.draw(st.sampled_from(sorted(history.campaigns)))
    statuses = data.draw(st.lists(st.sampled_from([status.number for status in Status]), unique=True))
    server = data.draw(st.sampled_from([None, 0, *history.servers]))
    wanted = {
        key
        for key, delivery in oracle.deliveries.items()
        if key[0] == campaign
        and (not statuses or Status(oracle.shown(key)).number in statuses)
        and server in (None, delivery.server)
    }
    filters, found = WantedItems(campaign, statuses, server), []
    while page := writing.ask(items, filters, len(found), 3)[0]:
        assert writing.ask(items, filters, len(found), 3)[1] == len(wanted)
        found += page
    assert sorted((one.campaign, one.recipient) for one in found) == sorted(wanted)
    assert all(Status.of(one.status) == oracle.shown((one.campaign, one.recipient)) for one in found)


@pytest.fixture
def people(pool: Pool, history: History) -> list[str]:
    """Addresses for those in the queue; the last one has been erased."""
    numbers = [recipient for _, recipient in history.deliveries]
    with pool.transaction() as cursor:
        for number in numbers[:-1]:
            cursor.execute(
                "INSERT INTO recipients (number, email) VALUES (%s, %s)",
                (number, f"reader{number}@example.com"),
            )
        cursor.execute(
            "INSERT INTO recipients (number, email, status) VALUES (%s, NULL, 'erased')", (numbers[-1],)
        )
    return [f"reader{number}@example.com" for number in numbers[:-1]]


def found_by(writing: Writing, wanted: WantedItems) -> list[Item]:
    found, total = writing.ask(items, wanted, 0, 100)
    assert len(found) == total
    return found


def test_a_delivery_is_found_by_part_of_an_address(
    writing: Writing, history: History, people: list[str]
) -> None:
    writing.fold(history)
    recipients = writing.ask(people_like, people[0].upper()[:-4])
    assert [one.email for one in found_by(writing, WantedItems(recipients=recipients))] == [people[0]]
    assert found_by(writing, WantedItems(recipients=recipients, statuses=[SENT])) == []
    assert writing.ask(people_like, "reader%") == []


def test_one_or_two_characters_are_the_beginning_of_an_address(writing: Writing, people: list[str]) -> None:
    assert len(writing.ask(people_like, "Re")) == len(people)
    assert writing.ask(people_like, "ad") == []
    assert writing.ask(people_like, "_") == []


def test_an_erased_person_is_listed_without_an_address(
    writing: Writing, history: History, people: list[str]
) -> None:
    writing.fold(history)
    erased = [one for one in found_by(writing, WantedItems()) if one.email is None]
    assert [(one.campaign, one.recipient) for one in erased] == [list(history.deliveries)[-1]]


def test_what_needs_a_look_comes_first(writing: Writing, history: History) -> None:
    waiting = history.in_status("queued")
    for delivery in waiting[:3]:
        history.attempt(delivery, history.reservations[0])
    history.accept(waiting[0])
    history.fail(waiting[1])
    writing.fold(history)
    shown = [Status.of(one.status) for one in found_by(writing, WantedItems())]
    assert shown == ["sending", *["queued"] * 7, "failed", "sent"]


def test_an_item_says_what_became_of_it(writing: Writing, history: History) -> None:
    delivery = history.in_status("queued")[0]
    history.attempt(delivery, history.reservations[0])
    history.defer(delivery)
    writing.fold(history)
    one = writing.ask(item, *delivery)
    assert (one.status, one.attempts, one.server, one.error) == (
        QUEUED,
        1,
        history.servers[0],
        "450 recipient: later",
    )
    history.turn(delivery[0], "cancelled", "cancelled", reason="a mistake")
    writing.fold(history)
    assert writing.ask(item, *delivery).status == CANCELLED
    assert writing.ask(item, delivery[0], 10**6) is None
