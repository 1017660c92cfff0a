from __future__ import annotations

from datetime import date, timedelta

import pytest

from projections import daily_usage, rolling_usage
from projections.rolling_usage import LeftOpen
from tests.projections.conftest import Writing
from tests.projections.histories import DAYS, START, History

TODAY = date.fromisoformat(DAYS[0])


def test_what_comes_back_does_not_count_against_the_day(writing: Writing, history: History) -> None:
    reservation, (first, second, *_) = history.reservations[0], history.in_status("queued")
    for delivery in (first, second):
        history.attempt(delivery, reservation)
    history.accept(first)
    history.defer(second, "server")
    history.give_back(reservation, refused=1)
    writing.fold(history)
    usage = writing.ask(daily_usage.usage_on, TODAY)[history.servers[0]]
    assert (usage.reserved, usage.unused, usage.refused, usage.used) == (10, 8, 1, 1)
    assert (usage.attempts, usage.accepted, usage.deferred) == (2, 1, 1)


def test_an_outcome_counts_on_the_date_of_its_attempt(writing: Writing, history: History) -> None:
    delivery = history.in_status("queued")[0]
    history.attempt(delivery, history.reservations[0])
    writing.fold(history)
    history.now += timedelta(days=1)
    history.reserve(history.servers[0], 1, DAYS[1])
    history.accept(delivery)
    writing.fold(history)
    accepted = [(str(usage.day), usage.accepted) for usage in writing.ask(daily_usage.history, TODAY)]
    assert accepted == [(DAYS[0], 1), (DAYS[1], 0)]


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_late_evidence_turns_unknown_into_what_it_was(
    writing: Writing, history: History, is_one_batch: bool
) -> None:
    delivery = history.in_status("queued")[0]
    history.attempt(delivery, history.reservations[0])
    for step in (history.lose, history.accept):
        if not is_one_batch:
            writing.fold(history)
        step(delivery)
    writing.fold(history)
    usage = writing.ask(daily_usage.usage_on, TODAY)[history.servers[0]]
    assert (usage.attempts, usage.accepted, usage.unknown) == (1, 1, 0)


def test_a_window_holds_what_was_used_in_it_and_what_is_still_reserved(
    writing: Writing, history: History
) -> None:
    server, closed = history.servers[0], history.reservations[0]
    history.attempt(history.in_status("queued")[0], closed)
    history.now += timedelta(seconds=4)
    history.give_back(closed)
    history.reserve(server, 3)
    writing.fold(history)

    def used(after: float, seconds: float) -> int:
        moment = START + timedelta(seconds=after)
        return int(writing.ask(rolling_usage.in_window, {server: seconds}, moment).get(server, 0))

    assert used(after=4, seconds=60) == 1 + 3
    assert used(after=63, seconds=60) == 1 + 3
    assert used(after=64, seconds=60) == 3
    assert used(after=73, seconds=60) == 3
    assert used(after=74, seconds=60) == 0


def test_what_a_processor_left_open_is_what_it_reserved_and_neither_used_up_nor_returned(
    writing: Writing, history: History
) -> None:
    server, deliveries = history.servers[0], iter(history.in_status("queued"))
    used_up = history.reserve(server, 1, by="processor:7")
    half_used = history.reserve(server, 2, by="processor:7")
    returned = history.reserve(server, 2, by="processor:7")
    history.reserve(server, 2, by="processor:8")
    for reservation in (used_up, half_used):
        history.attempt(next(deliveries), reservation)
    history.give_back(returned)
    writing.fold(history)
    assert writing.ask(rolling_usage.left_open_by, [7]) == [LeftOpen(server, half_used.version, 2, 1)]
