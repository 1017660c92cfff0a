"""What the dashboard reads from the projections."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from application.dashboard.model import DashboardModel
from application.dashboard.query import DashboardQuery
from application.forecasts.finishes import KEPT, Finishes
from domain.delivery.delivery import Requeued
from projections import refusals
from tests.web.world import NOON, World


def read(world: World) -> DashboardModel:
    world.shown()
    return DashboardQuery(world.installation).read()


def test_nothing_can_be_read_of_an_empty_house(world: World) -> None:
    shown = read(world)
    assert (shown.oldest, shown.next_at, list(shown.campaigns), shown.has_people) == (None, None, [], False)
    assert len(shown.throughput) == 90
    assert shown.throughput[-1].at == NOON


@pytest.mark.parametrize("has_processor", [True, False])
def test_the_queue_gives_the_same_reason_for_the_same_wait(
    client: FlaskClient, world: World, has_processor: bool
) -> None:
    """Of one that is to be sent again later, and of which no attempt counts any more."""
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.unknown(campaign, people[0], server)
    again = (NOON + timedelta(minutes=5)).timestamp()
    world.tell(campaign, people[0], Requeued, reason="policy", again=again)
    if not has_processor:
        world.without_processor()
    oldest = read(world).oldest
    assert oldest is not None
    (item,) = client.get("/api/queue/items").get_json()["data"]["results"]
    assert item["waitingFor"] == str(oldest.waiting)
    assert item["waitingCode"] == ("retry" if has_processor else "no_processor")


def test_refusals_that_differ_in_numbers_are_counted_together(world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(4)
    world.queued(campaign, people)
    world.failed(campaign, people[0], server, "550 5.1.1 No such user, id 4f1a")
    world.failed(campaign, people[1], server, "550 5.1.1 No such user, id 77c0")
    world.failed(campaign, people[2], server, "552 5.2.2 Mailbox full")
    world.deferred(campaign, people[3], server, NOON + timedelta(minutes=1))
    said = [(one.count, one.reply, one.what) for one in read(world).rejections]
    assert said[0] == (2, "550 5.1.1 No such user, id …", "failed, about the recipient · alpha")
    assert sorted(said[1:]) == [
        (1, "450 4.2.1 Try later", "deferred, about the recipient · alpha"),
        (1, "552 5.2.2 Mailbox full", "failed, about the recipient · alpha"),
    ]


@pytest.mark.parametrize("reply", ["", "550", "550 5.1.1", "…", "250 ok\nsecond line", "x" * 5000])
def test_any_reply_can_be_counted(world: World, reply: str) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.failed(campaign, people[0], server, reply)
    (one,) = read(world).rejections
    assert one.count == 1
    assert len(one.reply) <= 300


def test_yesterdays_refusals_are_left_out(world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.failed(campaign, people[0], server)
    world.clock.advance_to(NOON + timedelta(hours=25))
    assert read(world).rejections == []
    with world.pool.transaction() as cursor:
        assert len(refusals.recent(cursor, NOON)) == 1


def test_the_one_that_waits_longest_is_told_with_its_reason(world: World) -> None:
    world.server("alpha")
    people = world.people(2)
    paused, running = world.campaign("Paused"), world.campaign("Running")
    world.queued(paused, people)
    world.application.pause(paused, reason="typo", by="test")
    world.clock.advance_to(NOON + timedelta(minutes=5))
    world.queued(running, people)
    oldest = read(world).oldest
    assert oldest is not None
    assert (oldest.campaign, oldest.since, oldest.waiting.code) == ("Paused", NOON, "campaign_paused")
    world.application.cancel(paused, by="test")
    oldest = read(world).oldest
    assert oldest is not None
    assert (oldest.campaign, oldest.waiting.code) == ("Running", "next_in_line")


def test_the_chart_counts_each_answer_once(world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(4)
    world.queued(campaign, people)
    for seconds, person in enumerate(people[:3]):
        world.clock.advance_to(NOON + timedelta(seconds=20 * seconds))
        world.accepted(campaign, person, server)
    world.failed(campaign, people[3], server)
    shown = read(world)
    assert shown.rate == 3
    counts = [(one.accepted, one.failed) for one in shown.throughput]
    assert counts[-5:] == [(1, 0), (0, 0), (1, 0), (0, 0), (1, 1)]
    assert sum(accepted for accepted, _ in counts) == 3
    world.clock.advance_to(NOON + timedelta(minutes=20))
    shown = read(world)
    assert (sum(one.accepted for one in shown.throughput), shown.rate) == (0, 0)


def test_campaigns_under_way_come_before_those_that_are_over(world: World) -> None:
    people = world.people(1)
    running, over, draft = world.campaign("Running"), world.campaign("Over"), world.campaign("Draft")
    world.queued(running, people)
    world.queued(over, people)
    world.application.cancel(over, by="test")
    shown = read(world)
    assert [one.number for one in shown.campaigns] == [running, draft, over]
    assert shown.campaigns_in_all == 3


def test_a_campaign_of_several_days_says_when_it_is_done(world: World) -> None:
    world.server("alpha", daily_limit=2)
    campaign = world.campaign()
    world.queued(campaign, world.people(5))
    world.shown()
    (found,) = read(world).campaigns
    assert found.finish is not None
    assert (found.finish - NOON).days >= 1


def test_forecasts_are_made_one_at_a_time_and_kept_for_a_minute(world: World) -> None:
    world.server("alpha", daily_limit=2)
    numbers, people = [world.campaign(name) for name in ("Spring", "Summer")], world.people(1)
    for number in numbers:
        world.queued(number, people)
    world.shown()
    finishes = Finishes()
    with world.pool.transaction() as cursor:
        assert set(finishes.expected(cursor, numbers, NOON)) == {numbers[0]}
        first = finishes.expected(cursor, numbers, NOON + KEPT / 2)
        assert set(first) == set(numbers)
        assert finishes.expected(cursor, numbers, NOON + KEPT / 2) == first
        again = finishes.expected(cursor, numbers, NOON + KEPT)
        assert again[numbers[0]] != first[numbers[0]]
        assert again[numbers[1]] == first[numbers[1]]
        assert finishes.expected(cursor, [], NOON + KEPT) == {}
