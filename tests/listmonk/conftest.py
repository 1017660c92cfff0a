"""The application on a real database and a real socket, and a listmonk client pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from domain.clock import VirtualClock
from storage.postgres.pool import Pool
from tests.listmonk.client import Listmonk
from tests.listmonk.letters import LETTER
from tests.web.applications import application
from tests.web.world import NOON, World


@pytest.fixture
def world(pool: Pool) -> World:
    return World(pool, VirtualClock(NOON))


@pytest.fixture
def app(world: World) -> Iterator[Flask]:
    with application(world.installation) as made:
        yield made


@pytest.fixture
def listmonk(app: Flask) -> Iterator[Listmonk]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Listmonk(f"http://127.0.0.1:{server.port}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def friends(listmonk: Listmonk) -> int:
    number = int(listmonk.post("/api/lists", {"name": "Friends", "type": "public", "optin": "single"})["id"])
    for name in ("ann", "bob"):
        body = {"email": f"{name}@example.com", "name": f"{name.title()} Berg", "attribs": {"city": "Oslo"}}
        listmonk.post("/api/subscribers", {**body, "status": "enabled", "lists": [number]})
    return number


@pytest.fixture
def letter(listmonk: Listmonk) -> int:
    return int(listmonk.post("/api/templates", {"name": "Letter", "type": "campaign", "body": LETTER})["id"])
