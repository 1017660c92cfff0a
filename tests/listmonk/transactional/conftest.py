"""An installation that sends what a client of listmonk asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from postledger.sink.sink import Sink
from tests.listmonk.client import Listmonk
from tests.listmonk.transactional.messages import template
from tests.sending.world import World
from tests.web.applications import application

ORDER = "<p>Hi {{ .Subscriber.FirstName }}, order {{ .Tx.Data.order_id }} is on its way.</p>"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def app(world: World) -> Iterator[Flask]:
    with application(world.installation) as made:
        yield made


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
