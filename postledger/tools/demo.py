"""The demonstration: a whole installation on this machine, mail servers included.

Every run has a database of its own, in the same PostgreSQL server under the data folder, so that it
always begins with an empty queue and unspent limits; the one of the run before is kept to look at.
"""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import psycopg2
from psycopg2 import sql

from application.decisions.postledger import Postledger
from domain.people.statuses import SubscriptionStatus
from postledger.config import Config
from postledger.logs import set_up_logs
from postledger.serving.children import Children
from postledger.serving.serve import environment
from postledger.session import Database, prepare
from postledger.sink.sink import Sink
from postledger.terminal import write
from projections import campaign_progress
from projections.following.runner import Runner
from storage import content
from storage.log.factory import LogFactory
from storage.numbers import next_campaign, next_server
from storage.people import lists, recipients_import
from storage.postgres.embedded import EmbeddedServer
from storage.postgres.pool import Pool

SAMPLE = files("postledger") / "sample"
DATABASES = "demo_"
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class DemoServer:
    """`seconds` is how long it takes for a message while somebody watches."""

    name: str
    daily_limit: int
    seconds: float


SERVERS = (DemoServer("alpha", 300, 0.15), DemoServer("beta", 250, 0.2), DemoServer("gamma", 200, 0.25))


def run_demo(config: Config, *, once: bool) -> int:
    """Runs until Ctrl-C, with `once` until the campaign has finished. Prints what there is to see."""
    set_up_logs(replace(config, log_level="warning"), "demo")
    started = time.monotonic()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    config = _with_free_port(config)
    with ExitStack() as stack:
        demo = stack.enter_context(_installation(config, once))
        write(f"Postledger sends a campaign to {demo.recipients} people through {len(SERVERS)} servers.")
        write(f"  watch it      {config.public_url}")
        write(f"  the e-mails   {demo.mail}")
        if not once:
            write("  stop it       Ctrl-C")
        has_finished = demo.wait(stopping, until_finished=once)
        if once and has_finished:
            summary = demo.summary(time.monotonic() - started)
    if once and has_finished:
        write(json.dumps(summary))
        return 0
    return 1 if once else 0


def _with_free_port(config: Config) -> Config:
    """The configured port, or any other when something listens there already."""
    for port in (config.port, 0):
        with suppress(OSError), socket.create_server((config.bind, port)) as probe:
            taken = probe.getsockname()[1]
            return replace(config, port=taken, public_url=f"http://{config.bind}:{taken}")
    raise click.ClickException(f"there is no free port on {config.bind}")


@contextmanager
def _installation(config: Config, once: bool) -> Iterator[Demo]:
    folder = config.data_folder / "demo"
    mail = config.data_folder / "demo-mail"
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer(folder / "postgresql"))
        database = _fresh_database(Database.of(server))
        prepare(database)
        sinks = {
            each.name: stack.enter_context(Sink(keep=mail / each.name, latency=0.0 if once else each.seconds))
            for each in SERVERS
        }
        pool = Pool(database.url, size=2)
        stack.callback(pool.close)
        demo = Demo(pool, sinks, mail)
        demo.register_servers()
        demo.import_people()
        demo.create_campaign()
        children = Children(environment(replace(config, data_folder=folder), database.url))
        stack.callback(children.stop, STOP_SECONDS)
        children.start("web", ["web"])
        children.start("processor", ["processor"])
        demo.start_campaign()
        yield demo


def _fresh_database(beside: Database) -> Database:
    """Creates the database of this run; drops those of runs before the last one."""
    name = DATABASES + datetime.now(UTC).strftime("%Y%m%d_%H%M%S_%f")
    connection = psycopg2.connect(beside.owner_url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY datname",
                (DATABASES,),
            )
            for (old,) in cursor.fetchall()[:-1]:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(old)))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        connection.close()
    return beside.named(name)


class Demo:
    def __init__(self, pool: Pool, sinks: dict[str, Sink], mail: Path) -> None:
        self._pool = pool
        self._application = Postledger(factory=LogFactory(pool=pool))
        self._runner = Runner(pool)
        self._sinks = sinks
        self._campaign = 0
        self._list = 0
        self.mail = mail
        self.recipients = 0

    def register_servers(self) -> None:
        for each in SERVERS:
            with self._pool.transaction() as cursor:
                number = next_server(cursor)
            settings: dict[str, Any] = {
                "name": each.name,
                "host": "127.0.0.1",
                "port": self._sinks[each.name].port,
                "tls_type": "none",
                "max_conns": 4,
                "from_email": f"Book club <news@{each.name}.example.com>",
                "daily_limit": each.daily_limit,
            }
            self._application.add_server(number=number, settings=settings, by="demo")

    def import_people(self) -> None:
        with self._pool.transaction() as cursor, (SAMPLE / "people.csv").open("rb") as file:
            self._list = lists.create(cursor, {"name": "Readers"})
            options = recipients_import.Options(lists=[self._list], subscription=SubscriptionStatus.CONFIRMED)
            self.recipients = recipients_import.import_csv(cursor, file, options).imported

    def create_campaign(self) -> None:
        with self._pool.transaction() as cursor:
            self._campaign = next_campaign(cursor)
            text = content.keep(cursor, (SAMPLE / "letter.txt").read_text(encoding="utf-8"))
            html = content.keep(cursor, (SAMPLE / "letter.html").read_text(encoding="utf-8"))
        self._application.create_campaign(
            number=self._campaign,
            name="Autumn list",
            subject="New books for {{ subscriber.first_name }}",
            text=text,
            html=html,
            lists=[self._list],
            by="demo",
        )

    def start_campaign(self) -> None:
        self._application.start(self._campaign, by="demo")

    def wait(self, stopping: threading.Event, *, until_finished: bool) -> bool:
        """True when the campaign has finished before `stopping` was set."""
        while not stopping.wait(0.1):
            if until_finished and self._application.campaign(self._campaign).state.is_over:
                self._runner.catch_up()
                return True
        return False

    def _progress(self) -> campaign_progress.Progress:
        with self._pool.transaction() as cursor:
            progress = campaign_progress.progress(cursor, self._campaign)
        assert progress is not None
        return progress

    def summary(self, seconds: float) -> dict[str, Any]:
        """What the mail servers counted, beside what the queue says."""
        counts = self._progress().counts
        return {
            "recipients": self.recipients,
            "sent_per_server": {name: len(sink.messages) for name, sink in self._sinks.items()},
            "failed": counts["failed"],
            "unknown": counts["unknown"],
            "duplicates": self._duplicates(),
            "seconds": round(seconds, 1),
        }

    def _duplicates(self) -> int:
        """Messages that one of the servers, or two of them together, got more than once."""
        everything = [message.delivery for sink in self._sinks.values() for message in sink.messages]
        return len(everything) - len(set(everything))
