"""A world for scenarios of the processor: people, servers, campaigns, and processors that send."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg2

from application.installation import Installation
from domain.clock import Clock, SystemClock
from postledger.sink.sink import Sink
from processor.processor import Processor
from projections.queue import queue
from storage import content
from storage.numbers import next_campaign, next_server
from storage.postgres.pool import Pool
from storage.postgres.service_login import service_url
from storage.secrets import Secrets, new_key
from tests.directory import Directory
from tests.sending.hosts import SKEWED, Host

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds that a condition may take on a loaded machine: far more than it needs."""

WITH_PATIENCE = """
import os, sys
from datetime import timedelta
from pathlib import Path
from postledger.config import load
from postledger.serving.processing import run_processor
seconds = float(sys.argv[1])
sys.exit(run_processor(load({}, os.environ, Path.cwd()), patience=timedelta(seconds=seconds)))
"""
"""`postledger processor`, but for how long others may be silent before it takes them for dead."""

T = TypeVar("T")


class MovingClock:
    """Goes on as time does, and can be set forward."""

    def __init__(self, start: datetime | None = None) -> None:
        self._offset = (start - datetime.now(UTC)) if start else timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def seconds(self) -> float:
        return self.now().timestamp()

    earliest = latest = steady = seconds

    def is_trusted(self) -> bool:
        return True

    def heard(self, _theirs: float, _asked: float) -> float:
        return 0.0

    def advance_to(self, instant: datetime) -> None:
        assert instant >= self.now(), "a clock does not go back"
        self._offset = instant - datetime.now(UTC)


class World:
    """On the database whose owner connects with `url`. `clock` is what the application and processors in this
    process go by; a child process has the real time. `close` it in the end."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.owner_url = url
        self.url = service_url(url)
        self.clock = clock or SystemClock()
        self.key = new_key()
        self.pool = Pool(self.url, size=6)
        self.installation = Installation.over(
            self.pool, self.clock, secrets=Secrets([self.key]), public_url="http://127.0.0.1:8025"
        )
        self.application = self.installation.application
        self.runner = self.installation.runner
        self.directory = Directory(self.installation)
        self._people = 0

    def close(self) -> None:
        self.pool.close()

    @contextmanager
    def as_owner(self) -> Iterator[Any]:
        """A cursor in a transaction of the database's owner."""
        with closing(psycopg2.connect(self.owner_url)) as owner, owner, owner.cursor() as cursor:
            yield cursor

    def add_server(self, name: str, sink: Sink | int, **settings: Any) -> int:
        with self.pool.transaction() as cursor:
            number = next_server(cursor)
        given: dict[str, Any] = {
            "name": name,
            "host": "127.0.0.1",
            "port": sink if isinstance(sink, int) else sink.port,
            "tls_type": "none",
            "from_email": f"news@{name}.example",
            **settings,
        }
        return self.application.add_server(given, number=number, by="test")

    def add_people(self, count: int, list_name: str = "Everybody") -> list[int]:
        """Their addresses are p1@example.org, p2@example.org, …"""
        new = range(self._people + 1, self._people + count + 1)
        self._people += count
        people = [(f"p{number}@example.org", f"P {number}") for number in new]
        return self.directory.bring(people, list_name, "confirmed")

    def create(
        self, list_name: str = "Everybody", *, text: str = "Hello", html: str = "", **options: Any
    ) -> int:
        with self.pool.transaction() as cursor:
            number = next_campaign(cursor)
            body = content.keep(cursor, text)
            options |= {"html": content.keep(cursor, html)} if html else {}
        lists = [self.directory.list(list_name)]
        given = {"name": f"Campaign {number}", "subject": "News", "text": body, "lists": lists, **options}
        return self.application.create_campaign(number=number, by="test", **given)

    def create_and_start(self, list_name: str = "Everybody", **options: Any) -> int:
        number = self.create(list_name, **options)
        self.application.start(number, by="test")
        return number

    def change_policy(self, **changes: Any) -> None:
        self.application.change_policy(changes, by="test")

    def counts(self) -> dict[str, int]:
        """Deliveries by status, as the log says it now; statuses that none has are left out."""
        self.runner.catch_up()
        with self.pool.transaction() as cursor:
            return {status: count for status, count in queue.counts(cursor).items() if count}

    def state(self, campaign: int) -> str:
        return str(self.application.campaign(campaign).state)

    def wait_for(self, campaign: int, state: str = "finished", timeout: float = PATIENCE) -> None:
        wait_until(lambda: self.state(campaign) == state, timeout)

    @contextmanager
    def processor(
        self,
        *,
        ends: bool = True,
        patience: float | None = None,
        url: str | None = None,
        host: Host | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A process that sends; asked to end with the block, and killed when it does not, or with `ends`
        off. `patience` is how many seconds others may be silent before it takes them for dead, `host` where
        it runs, if not here."""
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("POSTLEDGER_")},
                "PYTHONPATH": str(ROOT),
                "POSTLEDGER_DATABASE_URL": url or self.url,
                "POSTLEDGER_KEY": self.key,
                "POSTLEDGER_DATA_FOLDER": folder,
                "POSTLEDGER_LOG_LEVEL": "warning",
            }
            arguments = ["-m", "postledger", "processor"]
            if patience is not None:
                arguments = ["-c", WITH_PATIENCE, str(patience)]
            if host is not None:
                arguments = ["-c", SKEWED + WITH_PATIENCE, str(patience or 30.0), str(host.file)]
            process = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment)
            try:
                yield process
                if ends:
                    process.terminate()
                    assert process.wait(PATIENCE) == 0
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    @contextmanager
    def sending(self, **options: Any) -> Iterator[Processor]:
        """A processor in this process, by the clock of this world."""
        processor = Processor(
            self.url, self.pool, Secrets([self.key]), self.clock, "http://127.0.0.1:8025",
            **options,
        )  # fmt: skip
        processor.start()
        try:
            yield processor
        finally:
            processor.stop()


def wait_until(condition: Callable[[], T], timeout: float = PATIENCE) -> T:
    """What the condition gives, once that is true; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found
