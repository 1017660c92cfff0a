"""The Message-ID of a delivery stays what it was, through whichever servers it goes."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from domain.delivery.delivery import Requeued
from domain.streams import delivery_stream
from postledger.sink.sink import Rule, Sink
from storage.log.append import Log
from tests.sending.world import World, wait_until


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def test_a_retry_through_another_server_keeps_the_whole_message_id(world: World) -> None:
    busy = Rule("dot", reply="451 4.2.0 mailbox busy", keeps=True)
    with Sink(rules=(busy,)) as first, Sink() as second:
        world.add_server("alpha", first, daily_limit=100)
        world.add_server("beta", second, daily_limit=10)
        world.change_policy(retry_first=1, poll_interval=1)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
        (refused,), (accepted,) = first.messages, second.messages
    assert refused.message_id.endswith("@alpha.example>")
    assert accepted.message_id == refused.message_id
    assert accepted.mail_from == "news@beta.example"
    assert message_from_bytes(accepted.message)["From"] == "news@beta.example"


def test_what_somebody_sends_again_after_an_unknown_outcome_is_known_by_its_message_id(world: World) -> None:
    with Sink(rules=(Rule("dot", drop=True, keeps=True),)) as first, Sink() as second:
        alpha = world.add_server("alpha", first)
        (person,) = world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
            world.application.disable_server(alpha, by="test")
            world.add_server("beta", second)
            again = Requeued(
                originator_id=delivery_stream(campaign, person),
                originator_version=3,
                by="test",
                reason="asked for",
            )
            Log(world.pool, world.clock).append([again.stored()])
            wait_until(lambda: second.messages)
        (kept,), (copy,) = first.messages, second.messages
    assert copy.message_id == kept.message_id
    assert world.counts() == {"sent": 1}
