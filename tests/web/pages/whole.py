"""The application with all its parts, as it is served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from application.previews import CampaignMessages
from postledger.config import load
from postledger.session import Session
from storage.secrets import Secrets, new_key
from tests.web.world import KEY, World
from web.app import create_app
from web.http.settings import WebSettings


@contextmanager
def whole_app(world: World, database_url: str, folder: Path) -> Iterator[Flask]:
    """With what makes messages, which previews need."""
    key = new_key()
    config = load({}, {"POSTLEDGER_DATABASE_URL": database_url, "POSTLEDGER_KEY": key}, folder)
    messages = CampaignMessages(Session(config, database_url, world.pool, world.clock))
    made = create_app(
        world.pool,
        world.application,
        world.clock,
        settings=WebSettings(token_keys=[KEY], streams=3),
        secrets=Secrets([key]),
        messages=messages,
    )
    yield made
    made.extensions["postledger.broadcast"].close()
