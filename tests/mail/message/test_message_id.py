"""The Message-ID of a delivery stays what it was, through whichever servers it goes."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from domain.delivery.delivery import Requeued
from domain.streams import delivery_stream
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from storage.log.append import Log
from tests.sending.ledger import events
from tests.sending.world import World, wait_until


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def test_a_retry_through_another_server_keeps_the_whole_message_id(world: World) -> None:
    busy = SinkRule("dot", reply="451 4.2.0 mailbox busy", keeps=True)
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


def test_a_from_address_that_is_changed_between_two_attempts_changes_no_message_id(world: World) -> None:
    busy = SinkRule("dot", reply="451 4.2.0 mailbox busy", keeps=True, times=2)
    with Sink(rules=(busy,)) as sink:
        alpha = world.add_server("alpha", sink, from_email="news@Alpha.example")
        world.change_policy(retry_first=1, retry_cap=1, poll_interval=1)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            for attempts, domain in ((1, "changed.example"), (2, "bücher.example")):
                wait_until(lambda attempts=attempts: len(sink.messages) >= attempts)
                world.application.change_server(alpha, {"from_email": f"news@{domain}"}, by="test")
            world.wait_for(campaign)
        first, *_, last = sink.messages
    assert first.message_id.endswith("@Alpha.example>")
    assert {one.message_id for one in sink.messages} == {first.message_id}
    assert last.mail_from == "news@xn--bcher-kva.example"


def test_a_first_attempt_with_a_changed_from_address_says_which_domain_it_took(world: World) -> None:
    busy = SinkRule("dot", reply="451 4.2.0 mailbox busy", keeps=True, times=1)
    with Sink(rules=(busy,)) as sink:
        alpha = world.add_server("alpha", sink)
        world.application.change_server(alpha, {"from_email": "news@bücher.example"}, by="test")
        world.change_policy(retry_first=1, poll_interval=1)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: sink.messages)
            world.application.change_server(alpha, {"from_email": "news@other.example"}, by="test")
            world.wait_for(campaign)
        refused, accepted = sink.messages
    assert refused.message_id.endswith("@xn--bcher-kva.example>")
    assert accepted.message_id == refused.message_id
    attempts = [event for event in events(world.pool) if event.topic == "delivery.attempt_started"]
    assert [event.state.get("id_domain") for event in attempts] == ["xn--bcher-kva.example", None]


def test_an_international_from_domain_is_the_same_in_a_retry(world: World) -> None:
    busy = SinkRule("dot", reply="451 4.2.0 mailbox busy", keeps=True, times=1)
    with Sink(rules=(busy,)) as sink:
        world.add_server("alpha", sink, from_email="news@bücher.example")
        world.change_policy(retry_first=1, poll_interval=1)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
        refused, accepted = sink.messages
    assert accepted.message_id == refused.message_id


def test_what_somebody_sends_again_after_an_unknown_outcome_is_known_by_its_message_id(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True, keeps=True),)) as first, Sink() as second:
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
