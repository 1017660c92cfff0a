"""Runs the parts: the pages, a processor, or all of it with its database."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

from domain.addresses.bind_address import check_bind
from postledger.config import Config
from postledger.logs import set_up_logs
from postledger.serving.children import Children
from postledger.serving.kept_database import KeptDatabase
from postledger.serving.stopping import on_stop
from postledger.session import has_admin, prepare

STOP_SECONDS = 75.0
"""A processor takes up to a minute to end what it has begun."""


def run_all(config: Config, processors: int = 1) -> int:
    """Until SIGTERM or SIGINT. Raises EmbeddedServerError when the database does not start."""
    set_up_logs(config, "serve")
    stopping = threading.Event()
    on_stop(stopping.set)
    with ExitStack() as stack:
        kept = stack.enter_context(KeptDatabase(config))
        prepare(kept.database, config)
        check_bind(config.bind, has_admin(kept.database.url))  # here, not over and over in a child
        children = Children(environment(config, kept.database.url))
        stack.callback(children.stop, STOP_SECONDS)
        children.start("web", ["web"])
        for number in range(processors):
            children.start(f"processor {number + 1}", ["processor"])
        while not stopping.wait(0.5):
            kept.look_after()
            children.restart_the_dead()
    return 0


def environment(config: Config, url: str) -> dict[str, str]:
    """The configuration as a child process reads it; secrets go this way, never as arguments. It logs in to
    the database as the service and is not told the owner's login."""
    values = {one.name: getattr(config, one.name) for one in fields(config) if one.name != "sources"}
    values |= {"database_url": url, "owner_database_url": None}
    return {f"POSTLEDGER_{name.upper()}": _as_text(value) for name, value in values.items() if value}


def _as_text(value: object) -> str:
    return str(value.absolute() if isinstance(value, Path) else value)
