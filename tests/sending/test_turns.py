"""Which campaign goes first, through which server, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Refused
from postledger.sink.sink import Sink
from tests.sending.ledger import events
from tests.sending.steering import campaign_of, of_campaign, send_another
from tests.sending.world import MovingClock, World, wait_until


def test_high_priority_goes_before_low(world: World, sink: Sink) -> None:
    alpha = world.add_server("alpha", sink, max_conns=1, enabled=False)
    world.add_people(20)
    low, high = world.create_and_start(priority="low"), world.create_and_start(priority="high")
    with world.sending():
        wait_until(lambda: world.counts() == {"queued": 40})
        world.application.enable_server(alpha, by="test")
        world.wait_for(low)
    assert [campaign_of(received) for received in sink.messages] == [high] * 20 + [low] * 20


def test_campaigns_of_one_priority_take_turns(world: World, sink: Sink) -> None:
    alpha = world.add_server("alpha", sink, max_conns=1, enabled=False)
    world.add_people(100, "Many")
    world.add_people(10, "Few")
    many, few = world.create_and_start("Many"), world.create_and_start("Few")
    with world.sending():
        wait_until(lambda: world.counts() == {"queued": 110})
        world.application.enable_server(alpha, by="test")
        world.wait_for(few)
        world.application.cancel(many, by="test")
    order = [campaign_of(received) for received in sink.messages]
    last_of_few = len(order) - order[::-1].index(few)
    assert order[:last_of_few].count(few) == 10
    assert order[:last_of_few].count(many) <= 12


def test_a_campaign_of_one_server_goes_through_no_other(world: World, sink: Sink) -> None:
    with Sink() as other:
        world.add_server("alpha", other, daily_limit=0)
        beta = world.add_server("beta", sink, max_conns=4, daily_limit=100)
        world.add_people(60)
        campaign = world.create_and_start(messenger=beta)
        with world.sending():
            world.wait_for(campaign)
        assert len(sink.messages) == 60
        assert not other.attempts


def test_a_scheduled_campaign_starts_once_at_its_time(database_url: str) -> None:
    clock = MovingClock(datetime(2026, 3, 4, 9, 0, tzinfo=UTC))
    world = World(database_url, clock)
    send_at = clock.now() + timedelta(days=1)
    with Sink(now=clock.seconds) as sink:
        world.add_server("alpha", sink)
        world.add_people(10)
        campaign = world.create()
        world.application.schedule(campaign, send_at, by="test")
        with world.sending(), world.sending():
            send_another(world)
            assert world.state(campaign) == "scheduled"
            clock.advance_to(send_at - timedelta(seconds=0.5))
            world.wait_for(campaign)
    assert min(received.mail_at for received in of_campaign(sink, campaign)) >= send_at.timestamp()
    topics = [event.topic for event in events(world.pool) if event.stream.int >> 96 == campaign]
    assert topics.count("campaign.started") == 1
    assert len(sink.messages) == 30
    world.close()


def test_a_schedule_that_no_processor_was_there_for_starts_late(database_url: str) -> None:
    clock = MovingClock(datetime(2026, 3, 4, 9, 0, tzinfo=UTC))
    world = World(database_url, clock)
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(10)
        campaign = world.create()
        world.application.schedule(campaign, clock.now() + timedelta(hours=1), by="test")
        clock.advance_to(clock.now() + timedelta(days=3))
        with world.sending():
            world.wait_for(campaign)
        assert len(sink.messages) == 10
    with pytest.raises(Refused):
        world.application.start(campaign, by="test")
    world.close()
