"""A web application on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from domain.clock import VirtualClock
from projections import schema
from storage.pool import Pool
from tests.web.world import KEY, NOON, World
from web.app import create_app
from web.settings import WebSettings


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def world(pool: Pool, clock: VirtualClock) -> World:
    schema.create(pool)
    return World(pool, clock)


@pytest.fixture
def app(pool: Pool, world: World, clock: VirtualClock) -> Iterator[Flask]:
    settings = WebSettings(token_keys=[KEY], public_url="https://post.example.com", streams=3)
    made = create_app(pool, world.application, clock, settings=settings)
    yield made
    made.extensions["postledger.broadcast"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The application, served on loopback in threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    app.extensions["postledger.broadcast"].close()
    server.shutdown()
    thread.join()
    server.server_close()
