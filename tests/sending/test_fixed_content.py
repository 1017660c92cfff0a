"""What a campaign says is fixed when it starts: for all its e-mails, through whichever processor they go."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from domain.delivery.delivery import Requeued
from domain.streams import delivery_stream
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from storage.log.append import Log
from tests.sending.world import World, wait_until


@pytest.mark.parametrize("restarts", [False, True])
def test_a_paused_campaign_that_is_renamed_says_in_all_its_e_mails_what_it_was_started_as(
    world: World, restarts: bool
) -> None:
    busy = SinkRule("rcpt", reply="450 4.2.0 mailbox busy", recipient="p2@", times=1)
    with Sink(rules=(busy,)) as sink, ExitStack() as processors:
        world.add_server("alpha", sink)
        world.change_policy(retry_first=3600)
        _, second = world.add_people(2)
        campaign = world.create_and_start(name="Spring", text="It is {{ campaign.name }}")
        processors.enter_context(world.sending())
        wait_until(lambda: world.counts() == {"sent": 1, "queued": 1} and sink.messages)
        world.application.pause(campaign, reason="to be renamed", by="test")
        world.application.edit_campaign(campaign, {"name": "Autumn"}, by="test")
        if restarts:
            processors.close()
            processors.enter_context(world.sending())
        world.application.resume(campaign, by="test")
        send_now(world, campaign, second)
        world.wait_for(campaign)
    assert world.application.campaign(campaign).name == "Autumn"
    assert [b"It is Spring" in one.message for one in sink.messages] == [True, True]


def send_now(world: World, campaign: int, recipient: int) -> None:
    fact = Requeued(
        originator_id=delivery_stream(campaign, recipient),
        originator_version=3,
        by="test",
        reason="asked for",
    )
    Log(world.pool, world.clock).append([fact.stored()])
