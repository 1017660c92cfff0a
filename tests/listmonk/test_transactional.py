"""Transactional messages, asked for by a client of listmonk and sent through a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from postledger.config import load
from postledger.messages import CampaignMessages, parsed
from postledger.session import Session
from postledger.sink import Sink
from tests.listmonk.client import Listmonk
from tests.sending.world import World, wait_until
from tests.web.world import KEY
from web.app import create_app
from web.settings import WebSettings

ORDER = "<p>Hi {{ .Subscriber.FirstName }}, order {{ .Tx.Data.order_id }} is on its way.</p>"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def app(world: World, tmp_path: Path) -> Iterator[Flask]:
    config = load({}, {"POSTLEDGER_DATABASE_URL": world.url, "POSTLEDGER_KEY": world.key}, tmp_path)
    messages = CampaignMessages(Session(config, world.url, world.pool, world.clock))
    made = create_app(
        world.pool,
        world.application,
        world.clock,
        settings=WebSettings(token_keys=[KEY], public_url="https://post.example.com"),
        preflight=messages.preflight,
        messages=messages,
    )
    yield made
    made.extensions["postledger.broadcast"].close()


@pytest.fixture
def sink(world: World) -> Iterator[Sink]:
    with Sink() as opened:
        world.add_server("alpha", opened)
        yield opened


@pytest.fixture
def order(listmonk: Listmonk) -> int:
    return template(listmonk, ORDER)


@pytest.fixture
def ann(listmonk: Listmonk) -> int:
    body = {"email": "ann@example.com", "name": "Ann Berg", "attribs": {"city": "Oslo"}, "lists": []}
    return int(listmonk.post("/api/subscribers", {**body, "status": "enabled"})["id"])


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


def test_the_example_of_the_documentation_arrives(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    answer = listmonk.post("/api/tx", {
        "subscriber_email": "ann@example.com", "template_id": order,
        "data": {"order_id": "1234", "date": "2022-07-30", "items": [1, 2, 3]}, "content_type": "html",
    })  # fmt: skip
    assert answer is True
    (message,) = arrived(world, sink)
    assert (message["To"], message["Subject"]) == ("Ann Berg <ann@example.com>", "Your order")
    assert message.get_content().strip() == "<p>Hi Ann, order 1234 is on its way.</p>"
    assert world.counts() == {"sent": 1}
