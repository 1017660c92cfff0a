"""Campaigns whose queueing was cut off, or is still under way, when something happens to them."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from domain.campaign.audience import RecipientsQueued
from domain.errors import Refused
from domain.streams import audience_stream
from postledger.sink.sink import Sink
from storage.log.append import Log
from tests.sending.ledger import events
from tests.sending.world import World, wait_until

MANY = 150_000
"""More than a processor queues in one step."""

PEOPLE = """
    WITH made AS (
        INSERT INTO recipients (email) SELECT 'm' || n || '@example.org' FROM generate_series(1, %s) n
        RETURNING number
    )
    INSERT INTO subscriptions (list, recipient, status) SELECT %s, number, 'confirmed' FROM made
"""


def half_queued(world: World) -> int:
    """A started campaign to 40 people of whom a processor, which is no more, has queued the first 20."""
    people = world.add_people(40)
    campaign = world.create_and_start()
    fact = RecipientsQueued(
        originator_id=audience_stream(campaign),
        originator_version=1,
        by="processor:77",
        ranges=[[people[0], people[19]]],
        count=20,
    )
    Log(world.pool, world.clock).append([fact.stored()])
    return campaign


def queued(world: World, campaign: int) -> list[Any]:
    return [event for event in events(world.pool) if event.stream == audience_stream(campaign)]


def test_the_rest_is_queued_and_everybody_mailed_once(world: World) -> None:
    campaign = half_queued(world)
    with Sink() as sink:
        world.add_server("alpha", sink)
        with world.sending():
            world.wait_for(campaign)
        assert len(sink.messages) == 40
        assert not sink.duplicates()
    first, second = queued(world, campaign)
    assert first.state["ranges"][-1][1] < second.state["ranges"][0][0]
    assert world.application.campaign(campaign).recipients == 40


def test_two_processors_at_once_queue_the_rest_once(world: World) -> None:
    campaign = half_queued(world)
    with Sink() as sink:
        world.add_server("alpha", sink)
        with world.sending(), world.sending():
            world.wait_for(campaign)
        assert len(sink.messages) == 40
    assert sum(event.state["count"] for event in queued(world, campaign)) == 40


def test_a_paused_one_finishes_queueing_and_sends_nothing_until_it_is_resumed(world: World) -> None:
    campaign = half_queued(world)
    world.application.pause(campaign, by="test")
    with Sink() as sink:
        world.add_server("alpha", sink)
        with world.sending():
            wait_until(lambda: world.application.campaign(campaign).recipients == 40)
            assert world.counts() == {"queued": 40}
            world.application.resume(campaign, by="test")
            world.wait_for(campaign)
        assert len(sink.messages) == 40
        assert not sink.duplicates()


def test_a_cancelled_one_is_cancelled_whole(world: World) -> None:
    campaign = half_queued(world)
    world.application.cancel(campaign, by="test")
    world.add_people(3, "Others")
    with Sink() as sink:
        world.add_server("alpha", sink)
        with world.sending():
            world.wait_for(world.create_and_start("Others"))
        assert len(sink.messages) == 3
    assert world.counts() == {"sent": 3, "cancelled": 20}
    assert len(queued(world, campaign)) == 1
    with pytest.raises(Refused):
        world.application.start(campaign, by="test")


def test_a_processor_killed_while_it_queues_leaves_the_rest_to_the_next(world: World) -> None:
    with world.pool.transaction() as cursor:
        cursor.execute(PEOPLE, (MANY, world.directory.list("Everybody")))
    campaign = world.create_and_start()
    with world.processor(ends=False) as killed:
        wait_until(lambda: queued(world, campaign))
        with world.pool.transaction() as cursor:
            cursor.execute("SELECT FROM log_head FOR UPDATE")  # holds up what comes next
            killed.send_signal(signal.SIGKILL)
            killed.wait()
    assert 0 < sum(event.state["count"] for event in queued(world, campaign)) < MANY
    assert world.application.campaign(campaign).is_queueing()
    with world.processor():
        wait_until(lambda: world.application.campaign(campaign).recipients == MANY)
    assert world.counts() == {"queued": MANY}
    world.application.cancel(campaign, by="test")
    assert world.counts() == {"cancelled": MANY}
