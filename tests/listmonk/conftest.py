"""The application on a real database and a real socket, and a listmonk client pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from application.previews import CampaignMessages
from domain.clock import VirtualClock
from mail.smtp.probe import probe
from postledger.config import load
from postledger.session import Session
from storage.postgres.pool import Pool
from storage.secrets import new_key
from tests.listmonk.client import Listmonk
from tests.web.world import KEY, NOON, World
from web.app import create_app
from web.http.settings import WebSettings


@pytest.fixture
def world(pool: Pool) -> World:
    return World(pool, VirtualClock(NOON))


@pytest.fixture
def app(database_url: str, pool: Pool, world: World, tmp_path: Path) -> Iterator[Flask]:
    config = load({}, {"POSTLEDGER_DATABASE_URL": database_url, "POSTLEDGER_KEY": new_key()}, tmp_path)
    session = Session(config, database_url, pool, world.clock)
    messages = CampaignMessages(session)
    made = create_app(
        pool,
        world.application,
        world.clock,
        settings=WebSettings(token_keys=[KEY], public_url="https://post.example.com"),
        preflight=messages.preflight,
        probe=probe,
        messages=messages,
    )
    yield made
    made.extensions["postledger.broadcast"].close()


@pytest.fixture
def listmonk(app: Flask) -> Iterator[Listmonk]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Listmonk(f"http://127.0.0.1:{server.port}")
    server.shutdown()
    thread.join()
    server.server_close()
