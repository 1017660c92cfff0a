"""Messages as a client asks for them, and as they arrive."""

from __future__ import annotations

from email.message import EmailMessage

from application.rendering.questions import parsed
from postledger.sink.sink import Sink
from projections import campaign_progress
from tests.listmonk.client import Listmonk
from tests.sending.world import World, wait_until


def template(listmonk: Listmonk, body: str, subject: str = "Your order") -> int:
    given = {"name": "Order", "type": "tx", "subject": subject, "body": body}
    return int(listmonk.post("/api/templates", given)["id"])


def arrived(world: World, sink: Sink, count: int = 1) -> list[EmailMessage]:
    """What a processor sends, once so many have arrived and nothing is left to send."""
    with world.sending():
        wait_until(lambda: len(sink.messages) >= count and not in_motion(world))
    assert len(sink.messages) == count
    return [parsed(one.message) for one in sink.messages]


def in_motion(world: World) -> int:
    counts = world.counts()
    return counts.get("queued", 0) + counts.get("sending", 0)


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).strip()


def campaigns(world: World) -> list[int]:
    world.runner.catch_up()
    with world.pool.transaction() as cursor:
        return [one.campaign for one in campaign_progress.campaigns(cursor, transactional=True)]
