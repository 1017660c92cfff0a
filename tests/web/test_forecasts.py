"""What a forecast is made from, as the log says it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from application.forecasts import audiences as sizes
from application.forecasts.audiences import Audiences
from application.forecasts.situations import situation
from domain.errors import Missing
from domain.forecast.bottleneck import Situation
from tests.web.world import NOON, World


def read(world: World, campaign: int) -> Situation:
    world.shown()
    with world.pool.transaction() as cursor:
        return situation(cursor, campaign, world.clock.now())


def test_a_draft_asks_for_all_its_people_and_a_running_campaign_for_who_waits(world: World) -> None:
    server, people = world.server("alpha"), world.people(5)
    running, draft = world.campaign(), world.campaign(priority="high", messenger=server)
    world.queued(running, people)
    world.accepted(running, people[0], server)
    found = read(world, draft)
    assert [(d.campaign, d.count, d.priority, d.server, d.starts) for d in found.demands] == [
        (running, 4, "normal", None, None), (draft, 5, "high", server, None),
    ]  # fmt: skip
    assert found.demand == found.demands[1]


def test_a_scheduled_campaign_asks_from_its_start_on_and_a_paused_one_not_at_all(world: World) -> None:
    people = world.people(3)
    scheduled, paused, draft = world.campaign(), world.campaign(), world.campaign()
    world.application.schedule(scheduled, NOON + timedelta(days=2), by="test")
    world.queued(paused, people)
    world.application.pause(paused, reason="", by="test")
    found = read(world, draft)
    assert [(d.campaign, d.starts) for d in found.demands] == [
        (scheduled, NOON + timedelta(days=2)), (draft, None),
    ]  # fmt: skip
    assert read(world, paused).demand is not None


def test_who_is_not_queued_yet_counts_too(world: World) -> None:
    world.people(5)
    campaign = world.campaign()
    world.application.start(campaign, by="test")
    found = read(world, campaign).demand
    assert found is not None
    assert found.count == 5


def test_servers_have_what_is_left_of_their_limits(world: World) -> None:
    alpha = world.server(
        "alpha", daily_limit=100, sliding_window=True, sliding_window_rate=10, window="09:00-17:00"
    )
    off, resting = world.server("off", enabled=False), world.server("resting")
    until = NOON + timedelta(hours=3)
    world.application.suspend_server(resting, reason="421", until=until, by="test")
    world.reserve(alpha, 7)
    found = {one.server: one for one in read(world, world.campaign()).senders}
    assert (found[alpha].daily_limit, found[alpha].used_today, found[alpha].window) == (100, 7, "09:00-17:00")
    assert found[alpha].rolling == (10, 3600.0)
    assert list(found[alpha].uses) == [(NOON.timestamp() + 10, 7)]
    assert (found[off].usable_from, found[resting].usable_from) == (None, until)
    assert found[alpha].rate is None


def test_what_a_server_did_of_late_is_how_fast_it_is(world: World) -> None:
    server, people = world.server("alpha"), world.people(120)
    campaign = world.campaign()
    world.queued(campaign, people)
    world.reserve(server, 120)
    for person in people:
        world.accepted(campaign, person, server)
    (sender,) = read(world, campaign).senders
    assert sender.rate == pytest.approx(12.0)


def test_people_are_counted_again_once_the_number_is_old(world: World) -> None:
    world.people(3)
    audiences = Audiences()
    with world.pool.transaction() as cursor:
        assert audiences.size(cursor, [1], NOON) == 3
    world.directory.people.blocklist("p1@example.org", by="test")
    with world.pool.transaction() as cursor:
        assert audiences.size(cursor, [1], NOON + timedelta(seconds=1)) == 3
        assert audiences.size(cursor, [1], NOON + timedelta(minutes=10)) == 2


def test_there_is_no_forecast_for_what_there_is_not(world: World) -> None:
    with pytest.raises(Missing):
        read(world, 7)


def test_several_large_lists_are_about_as_many_people_as_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = world.people(40)
    others = world.directory.list("Others")
    world.directory.people.subscribe(people[:10], [others], "unconfirmed", by="test")
    with world.pool.transaction() as cursor:
        assert Audiences().audience(cursor, [1, 2], NOON) == (40, True)
        monkeypatch.setattr(sizes, "COUNTED", 20)
        assert Audiences().audience(cursor, [1, 2], NOON) == (40, False)
        assert Audiences().audience(cursor, [1], NOON) == (40, True)
        assert Audiences().audience(cursor, [1, 7], NOON) == (40, False)
        assert Audiences().audience(cursor, [7, 8], NOON) == (0, True)
    campaign = world.campaign()
    world.application.edit_campaign(campaign, {"lists": [1, 2]}, by="test")
    assert read(world, campaign).is_approximate
    world.queued(campaign, people)
    assert not read(world, campaign).is_approximate
