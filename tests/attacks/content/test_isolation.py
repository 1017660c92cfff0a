"""One person's data, one delivery or one template never stops another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from domain.fields import DEEPEST
from mail.message.skeleton import MessageRecipient, Skeleton
from postledger.sink.sink import Sink
from storage.people.personal_data import DirectoryError, checked_attributes
from tests.sending.ledger import events
from tests.sending.world import World, wait_until

REPLY_TO = [["Reply-To", "{{ subscriber.name }} <r@x>"]]
Make = Callable[[Skeleton, MessageRecipient, datetime, str | None], bytes]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """One that sends."""
    made = World(database_url)
    yield made
    made.close()


def replies(world: World, topic: str) -> list[str]:
    return [str(event.state["reply"]) for event in events(world.pool) if event.topic == topic]


def pauses(world: World) -> list[str]:
    return [str(event.state["reason"]) for event in events(world.pool) if event.topic == "campaign.paused"]


def test_names_that_no_header_can_be_made_of_fail_their_own_deliveries_alone(world: World) -> None:
    """300 opening parentheses in one name ended the dispatcher, and `serve` restarted into it."""
    with Sink() as sink:
        world.add_server("alpha", sink, max_conns=2)
        world.add_people(57)
        for number, name in enumerate(("(" * 300, "a " * 249, "é <a@b.c>,é,Bcc: v@e.com, é")):
            world.directory.bring([(f"evil{number}@example.org", name)], "Everybody", "confirmed")
        world.add_people(20, "Others")
        attacked = world.create_and_start(headers=REPLY_TO)
        other = world.create_and_start("Others")
        with world.sending() as processor:
            world.wait_for(attacked)
            world.wait_for(other)
            processor.ask_to_stop()
            assert processor.wait(), "nothing of the processor has ended"
    assert world.counts() == {"sent": 77, "failed": 3}
    assert all(reply.startswith("header Reply-To: ") for reply in replies(world, "delivery.failed"))
    assert not any(b"\r\nBcc:" in message.message for message in sink.messages)


@pytest.mark.parametrize("error", [RecursionError, MemoryError, ValueError])
def test_a_campaign_of_which_no_message_can_be_made_pauses_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    make: Make = Skeleton.message

    def choke(
        skeleton: Skeleton, recipient: MessageRecipient, at: datetime, id_domain: str | None = None
    ) -> bytes:
        if "odd" in recipient.email:
            raise error(recipient.email)
        return make(skeleton, recipient, at, id_domain)

    monkeypatch.setattr(Skeleton, "message", choke)
    with Sink() as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.directory.bring([(f"odd{n}@example.org", f"P {n}") for n in range(300)], "Odd", "confirmed")
        world.add_people(20)
        broken, sound = world.create_and_start("Odd"), world.create_and_start()
        with world.sending():
            world.wait_for(sound)
            world.wait_for(broken, "paused")
    (reason,) = pauses(world)
    assert reason == (
        f"20 of 20 messages could not be made; the last one: the message cannot be made ({error.__name__})"
    )
    assert world.counts()["sent"] == 20
    assert world.counts()["queued"] >= 250


def test_who_resumes_such_a_campaign_has_it_tried_anew(world: World) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.add_people(200)
        broken = world.create_and_start(text="{{ 1 // subscriber.attributes.get('n', 0) }}")
        with world.sending():
            world.wait_for(broken, "paused")
            failed = world.counts()["failed"]
            world.application.resume(broken, by="test")
            wait_until(lambda: len(pauses(world)) == 2)
    assert world.counts()["failed"] >= failed + 20
    assert pauses(world)[1].endswith("text, line 1: it divides by zero")


def test_a_campaign_whose_messages_take_long_pauses_itself_and_others_go_out(world: World) -> None:
    slow = "{% for a in range(1000) %}{% for b in range(200) %}{{ a // 7 }}{% endfor %}{% endfor %}"
    with Sink() as sink:
        world.add_server("alpha", sink, max_conns=2)
        world.add_people(200, "Slow")
        world.add_people(50)
        held, sound = world.create_and_start("Slow", text=slow), world.create_and_start()
        with world.sending():
            world.wait_for(held, "paused")
            world.wait_for(sound)
    (reason,) = pauses(world)
    assert "ms each to make, which holds up other campaigns" in reason


def test_a_template_that_cannot_even_be_refused_in_few_words_stops_its_own_campaign_alone(
    world: World,
) -> None:
    """The reason was longer than a pause takes, so that nothing was planned any more."""
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(5)
        broken = world.create_and_start(text="{{ " + "a" * 5000 + " }}")
        sound = world.create_and_start()
        with world.sending():
            world.wait_for(sound)
            world.wait_for(broken, "paused")
    assert len(sink.messages) == 5


def test_whatever_compiling_raises_stops_its_own_campaign_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mail.message import compose

    parts = compose._parts

    def choke(campaign: compose.CampaignContent, *more: object) -> object:
        if "odd" in (campaign.text or ""):
            raise RecursionError("too deep")
        return parts(campaign, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(compose, "_parts", choke)
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(5)
        broken, sound = world.create_and_start(text="odd"), world.create_and_start()
        with world.sending():
            world.wait_for(sound)
            world.wait_for(broken, "paused")
    assert pauses(world) == ["no message can be made: the message cannot be made (RecursionError)"]


def test_attributes_that_somebody_could_not_read_again_are_not_kept() -> None:
    def nested(levels: int) -> dict[str, object]:
        value: object = 1
        for _ in range(levels):
            value = {"a": value}
        return {"a": value}

    assert checked_attributes(nested(DEEPEST - 1))
    for levels in (DEEPEST, 900, 100_000):
        with pytest.raises(DirectoryError, match="levels deep"):
            checked_attributes(nested(levels))
