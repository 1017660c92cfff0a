"""Runs the parts: the pages, a processor, or all of it with its database."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

from postledger.children import Children
from postledger.config import Config
from postledger.logs import set_up_logs
from postledger.session import open_database, open_session
from processor.processor import DRAIN_SECONDS, Processor
from projections import schema
from storage.migrate import migrate
from storage.pool import Pool
from web.app import create_app
from web.server import serve as serve_pages
from web.settings import WebSettings

PROCESSOR_CONNECTIONS = 10
WEB_CONNECTIONS = 12


def run_web(config: Config) -> int:
    set_up_logs(config, "web")
    with open_session(config, connections=WEB_CONNECTIONS) as session:
        settings = WebSettings(public_url=config.public_url, token_keys=session.secrets.token_keys())
        app = create_app(session.pool, session.application, session.clock, settings=settings)
        serve_pages(app, config.bind, config.port)
    return 0


def run_processor(config: Config) -> int:
    """0 after SIGTERM or SIGINT, 1 when the processor could not go on and wants to be started anew."""
    set_up_logs(config, "processor")
    with open_session(config, connections=PROCESSOR_CONNECTIONS) as session:
        processor = Processor(
            session.url, session.pool, session.application, session.secrets, session.clock, config.public_url
        )
        _on_stop(processor.ask_to_stop)
        processor.start()
        was_asked = processor.wait()
        processor.stop()
    return 0 if was_asked else 1


def run_all(config: Config, processors: int = 1) -> int:
    set_up_logs(config, "serve")
    stopping = threading.Event()
    _on_stop(stopping.set)
    with ExitStack() as stack:
        url = stack.enter_context(open_database(config))
        prepare(url)
        children = Children(environment(config, url))
        stack.callback(children.stop, DRAIN_SECONDS + 15)
        children.start("web", ["web"])
        for number in range(processors):
            children.start(f"processor {number + 1}", ["processor"])
        while not stopping.wait(0.5):
            children.restart_the_dead()
    return 0


def prepare(url: str) -> list[str]:
    """Brings a database up to date: migrations, then the projections' tables. Returns what was applied."""
    applied = migrate(url)
    pool = Pool(url, size=1)
    try:
        schema.create(pool)
    finally:
        pool.close()
    return applied


def environment(config: Config, url: str) -> dict[str, str]:
    """The configuration as a child process reads it; secrets go this way, never as arguments."""
    values = {
        "DATABASE_URL": url,
        "DATA_FOLDER": str(config.data_folder.absolute()),
        "BIND": config.bind,
        "PORT": str(config.port),
        "PUBLIC_URL": config.public_url,
        "KEY": config.key,
        "KEY_FILE": str(config.key_file.absolute()) if config.key_file else None,
        "LOG_LEVEL": config.log_level,
        "LOG_FORMAT": config.log_format,
    }
    return {f"POSTLEDGER_{name}": value for name, value in values.items() if value}


def _on_stop(action: Callable[[], None]) -> None:
    def handle(_signal: int, _frame: FrameType | None) -> None:
        action()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
