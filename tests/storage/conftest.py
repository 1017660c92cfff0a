from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2.extensions import connection


class Wire:
    """A network between the program and PostgreSQL that breaks when told to.

    `fault` is what happens to the next append: "request" is lost on the way, "answer" is lost on the way
    back, or the program is cut off at once while the server goes on ("orphan").
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._door = socket.create_server(("127.0.0.1", 0))
        netloc = parts.netloc.rpartition("@")[0] + f"@127.0.0.1:{self._door.getsockname()[1]}"
        self.url = urlunsplit(parts._replace(netloc=netloc))
        self.fault: str | None = None
        self.faults = 0
        self.struck = Event()
        self._lock = Lock()
        self._sockets = [self._door]
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        for end in self._sockets:
            _cut(end)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            lose_answer = Event()
            for pump in (self._pump_requests, self._pump_answers):
                self._threads.append(Thread(target=pump, args=(client, server, lose_answer), daemon=True))
                self._threads[-1].start()

    def _pump_requests(self, client: socket.socket, server: socket.socket, lose_answer: Event) -> None:
        orphaned = False
        while chunk := _received(client):
            fault = self._strike() if _is_append(chunk) else None
            if fault == "answer":
                lose_answer.set()
            if fault == "request":
                break
            try:
                server.sendall(chunk)
            except OSError:  # the server, or the test at its end, has hung up meanwhile
                break
            if fault == "orphan":
                orphaned = True
                break
        _cut(client)
        if not orphaned:
            _cut(server)

    def _pump_answers(self, client: socket.socket, server: socket.socket, lose_answer: Event) -> None:
        while chunk := _received(server):
            if lose_answer.is_set():
                break
            try:
                client.sendall(chunk)
            except OSError:
                continue
        _cut(client)
        _cut(server)

    def _strike(self) -> str | None:
        with self._lock:
            fault, self.fault = self.fault, None
            if fault:
                self.faults += 1
                self.struck.set()
            return fault


def _is_append(chunk: bytes) -> bool:
    """Not the preparation of one, which names the table too."""
    return b"EXECUTE append_events" in chunk or (b"INSERT INTO events" in chunk and b"PREPARE" not in chunk)


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(1 << 20)
    except OSError:
        return b""


def _cut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@pytest.fixture
def wire(database_url: str) -> Iterator[Wire]:
    opened = Wire(database_url)
    yield opened
    opened.close()


@pytest.fixture
def admin(database_url: str) -> Iterator[connection]:
    """A connection of the superuser, in autocommit mode."""
    opened = psycopg2.connect(database_url)
    opened.autocommit = True
    yield opened
    opened.close()


@pytest.fixture
def wait_for_blocked(admin: connection) -> Callable[[int], list[int]]:
    """Waits until so many backends wait for a lock, and returns their process ids."""

    def wait(count: int) -> list[int]:
        blocked: list[int] = []
        while len(blocked) < count:
            with admin.cursor() as cur:
                cur.execute(
                    "SELECT pid FROM pg_stat_activity "
                    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                blocked = [pid for (pid,) in cur.fetchall()]
        return blocked

    return wait
