"""A message that cannot be made ends one delivery, with its reason, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.server.server import SmtpServer
from mail.message.skeleton import MessageRecipient, Skeleton
from postledger.sink.sink import Sink
from tests.sending.ledger import events
from tests.sending.world import World

UNUSABLE = ["news@my_host.example.com", "jörg@example.com", '"a b"@example.com', "a@[1.2.3.4"]


def take_from_an_earlier_release(world: World, server: int, from_email: str) -> None:
    """A From address that the settings take no longer, as it stands in logs."""
    aggregate: SmtpServer = world.application.repository.get(SmtpServer.create_id(server))
    changes = {"from_email": from_email}
    aggregate.trigger_event(SmtpServer.Changed, changes=changes, by="test", timestamp=datetime.now(UTC))
    world.application.save(aggregate)


@pytest.mark.parametrize("from_email", UNUSABLE)
def test_a_from_address_that_cannot_be_used_fails_what_has_no_other_server(
    world: World, from_email: str
) -> None:
    with Sink() as sink:
        alpha = world.add_server("alpha", sink)
        take_from_an_earlier_release(world, alpha, from_email)
        world.add_people(3)
        campaign = world.create_and_start()
        with world.sending() as processor:
            world.wait_for(campaign)
            processor.ask_to_stop()
            assert processor.wait(), "nothing of the processor has ended"
    failed = [event for event in events(world.pool) if event.topic == "delivery.failed"]
    assert world.counts() == {"failed": 3}
    assert all(e.state["reply"].startswith("the From address of the server cannot be used") for e in failed)
    assert not sink.messages


def test_another_server_sends_what_one_with_an_unusable_from_address_cannot(world: World) -> None:
    with Sink() as first, Sink() as second:
        alpha = world.add_server("alpha", first, daily_limit=1000)
        world.add_server("beta", second, daily_limit=100)
        take_from_an_earlier_release(world, alpha, "news@my_host.example.com")
        world.add_people(20)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
    assert world.counts() == {"sent": 20}
    assert len(second.messages) == 20


def test_whatever_composing_raises_ends_that_delivery_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compose = Skeleton.message

    def choke(
        skeleton: Skeleton, recipient: MessageRecipient, at: datetime, id_domain: str | None = None
    ) -> bytes:
        if recipient.email == "p2@example.org":
            raise RecursionError(f"too deep for {recipient.email}")
        return compose(skeleton, recipient, at, id_domain)

    monkeypatch.setattr(Skeleton, "message", choke)
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(3)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
    assert world.counts() == {"sent": 2, "failed": 1}
    (failed,) = [event for event in events(world.pool) if event.topic == "delivery.failed"]
    assert failed.state["reply"] == "the message cannot be made (RecursionError)"
    assert "p2@" not in caplog.text
