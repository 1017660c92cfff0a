"""While the database is away, nobody is told where it is, nor what went wrong inside."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from proofs.attacked.client import ask
from proofs.attacked.database_relay import DatabaseRelay
from proofs.attacked.house import House
from proofs.finding import Finding
from tests.installation import wait_until

PATHS = ("/readyz", "/api/health", "/metrics", "/api/queue/stats", "/sign-in", "/unsubscribe/none", "/")
INSIDE = ("127.0.0.1", "localhost", "dbname", "socket", "refused", "server at", "psycopg", "Traceback")


def attack(house: House) -> Iterator[Finding]:
    with DatabaseRelay(house.database_url) as relay, _pages(house, relay.url) as port:
        wait_until(lambda: ask(port, "GET", "/readyz").status == 200)
        relay.leave()
        answers = {path: ask(port, "GET", path) for path in PATHS}
    inside = (*INSIDE, str(relay.port), "postledger_service", str(house.folder))
    told = [f"{path}: {word}" for path in PATHS for word in inside if word in answers[path].text]
    yield Finding("readiness_tells", len(told), "inner facts", 0, note=", ".join(told[:3]))
    away = [path for path in PATHS if answers[path].status == 503]
    yield Finding("database_was_away", float("/readyz" in away), "of 1", 1, "at least", ", ".join(away))


@contextmanager
def _pages(house: House, database_url: str) -> Iterator[int]:
    """More pages of the same installation, which reach its database by that way; the port of theirs."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    told = {"POSTLEDGER_DATABASE_URL": database_url, "POSTLEDGER_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "postledger", "web"], cwd=house.folder,
        env={**house.running.environment, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield port
    finally:
        process.terminate()
        process.wait(60)
