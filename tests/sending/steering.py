"""Whose e-mails have arrived, and that more do."""

from __future__ import annotations

from postledger.sink.sink import Received, Sink
from tests.sending.world import World


def campaign_of(received: Received) -> int:
    return int(received.message_id.strip("<").partition(".")[0].removeprefix("c"))


def of_campaign(sink: Sink, campaign: int) -> list[Received]:
    return [received for received in list(sink.messages) if campaign_of(received) == campaign]


def send_another(world: World) -> None:
    """Proof that the processor has been at work all the while."""
    world.add_people(20, "Others")
    world.wait_for(world.create_and_start("Others"))
