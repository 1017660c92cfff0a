from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from projections.queue import queue
from tests.projections.conftest import Writing
from tests.projections.histories import START, History


def keys(history: History) -> list[tuple[int, int]]:
    return history.in_status("queued")


def campaign_of(history: History) -> int:
    return next(iter(history.campaigns))


def test_what_is_due_comes_oldest_first_and_goes_on_after_the_last_row(
    writing: Writing, history: History
) -> None:
    first, *others = keys(history)
    history.attempt(first, history.reservations[0])
    history.defer(first, seconds=60)
    writing.fold(history)
    campaign = campaign_of(history)
    page = writing.ask(queue.due, campaign, START, 4)
    assert [(row.campaign, row.recipient) for row in page] == others[:4]
    rest = writing.ask(queue.due, campaign, START, 100, (page[-1].due, page[-1].recipient))
    assert [(row.campaign, row.recipient) for row in rest] == others[4:]
    later = writing.ask(queue.due, campaign, START + timedelta(seconds=60), 100)
    assert (later[-1].campaign, later[-1].recipient) == first
    assert (later[-1].version, later[-1].attempts, later[-1].server) == (2, 1, history.servers[0])
    assert later[-1].first_failed_at == START


def test_processors_that_share_a_campaign_see_each_delivery_once(writing: Writing, history: History) -> None:
    writing.fold(history)
    shares = [writing.ask(queue.due, campaign_of(history), START, 100, share=(rank, 3)) for rank in range(3)]
    assert all(shares)
    assert sorted((row.campaign, row.recipient) for share in shares for row in share) == keys(history)


def test_a_deferral_that_speaks_of_the_server_leaves_the_email_untouched(
    writing: Writing, history: History
) -> None:
    delivery = keys(history)[0]
    history.attempt(delivery, history.reservations[0])
    history.defer(delivery, "server", seconds=0)
    writing.fold(history)
    row = next(row for row in writing.ask(queue.due, delivery[0], START, 100) if row.recipient == delivery[1])
    assert (row.attempts, row.first_failed_at) == (0, None)


def test_who_is_put_back_in_the_queue_starts_with_a_clean_sheet(writing: Writing, history: History) -> None:
    delivery = keys(history)[0]
    history.attempt(delivery, history.reservations[0])
    history.defer(delivery)
    history.attempt(delivery, history.reservations[0])
    history.fail(delivery)
    writing.fold(history)
    history.now += timedelta(minutes=1)
    history.requeue(delivery)
    writing.fold(history)
    row = writing.ask(queue.due, delivery[0], history.now, 100)[-1]
    assert (row.recipient, row.attempts, row.first_failed_at) == (delivery[1], 0, None)
    assert row.due == history.now


@pytest.mark.parametrize("order", list(itertools.permutations(["queue", "attempt", "defer", "cancel"])))
@pytest.mark.parametrize("is_one_batch", [True, False])
def test_a_cancel_cancels_what_waits_whenever_it_comes(
    writing: Writing, history: History, order: tuple[str, ...], is_one_batch: bool
) -> None:
    """And whatever comes to wait later; what was on its way ends as it ends."""
    campaign, reservation = campaign_of(history), history.reservations[0]
    tried, on_its_way, *waiting = keys(history)
    history.attempt(on_its_way, reservation)
    history.attempt(tried, reservation)
    for what in order:
        if what == "queue":
            history.queue(campaign, [3])
        elif what == "attempt":
            history.attempt(waiting[0], reservation)
        elif what == "defer":
            history.defer(tried)
        else:
            history.turn(campaign, "cancelled", "cancelled", reason="a mistake")
        if not is_one_batch:
            writing.fold(history)
    history.accept(on_its_way)
    writing.fold(history)
    counts = writing.ask(queue.counts)
    assert counts == {
        "queued": 0, "sending": 1, "sent": 1, "failed": 0, "cancelled": 11, "unknown": 0, "suppressed": 0,
    }  # fmt: skip
    assert writing.ask(queue.campaigns_with_work) == []


def test_a_campaign_is_drained_when_all_are_queued_and_none_waits_or_is_on_its_way(
    writing: Writing, history: History
) -> None:
    campaign, reservation = campaign_of(history), history.reservations[0]
    for delivery in keys(history):
        history.attempt(delivery, reservation)
    writing.fold(history)
    history.turn(campaign, "queueing_finished", recipients=10)
    writing.fold(history)
    assert writing.ask(queue.drained_campaigns) == []
    for delivery in history.in_status("sending"):
        history.accept(delivery)
    writing.fold(history)
    assert writing.ask(queue.drained_campaigns) == [campaign]


def test_a_campaign_that_is_still_being_queued_is_not_drained(writing: Writing, history: History) -> None:
    campaign = campaign_of(history)
    for delivery in keys(history):
        history.settle(delivery, "suppressed")
    writing.fold(history)
    assert writing.ask(queue.campaigns_to_queue) == [campaign]
    assert writing.ask(queue.drained_campaigns) == []


def test_a_paused_campaign_goes_on_queueing_but_has_no_work(writing: Writing, history: History) -> None:
    campaign = campaign_of(history)
    history.turn(campaign, "paused", "paused", reason="lunch")
    writing.fold(history)
    assert writing.ask(queue.campaigns_to_queue) == [campaign]
    assert writing.ask(queue.campaigns_with_work) == []


def test_only_the_attempts_of_the_processors_asked_about_are_in_flight(
    writing: Writing, history: History
) -> None:
    reservation = history.reservations[0]
    mine, other, ended, *_ = keys(history)
    history.attempt(mine, reservation, by="processor:7")
    history.attempt(other, reservation, by="processor:8")
    history.attempt(ended, reservation, by="processor:7")
    history.accept(ended)
    writing.fold(history)
    server = history.servers[0]
    assert writing.ask(queue.in_flight, [7, 9]) == [queue.InFlight(*mine, 1, server)]
    assert writing.ask(queue.in_flight, []) == []


def test_the_next_one_scheduled_is_the_first_delivery_or_the_first_campaign_to_start(
    writing: Writing, history: History
) -> None:
    writing.fold(history)
    assert writing.ask(queue.next_scheduled_at) == START
    history.turn(campaign_of(history), "paused", "paused", reason="lunch")
    writing.fold(history)
    assert writing.ask(queue.next_scheduled_at) is None
    tomorrow = START + timedelta(days=1)
    history.turn(history.create(), "scheduled", "scheduled", send_at=tomorrow.isoformat())
    writing.fold(history)
    assert writing.ask(queue.next_scheduled_at) == tomorrow
