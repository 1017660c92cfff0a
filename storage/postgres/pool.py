"""Connections to PostgreSQL: how one is opened, and a pool of them that makes its callers wait.

psycopg2's own pool raises when it is exhausted and hands out connections that have died.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator
from threading import Condition
from time import monotonic

import psycopg2
from psycopg2 import extensions
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, cursor, make_dsn, parse_dsn
from psycopg2.extras import register_uuid

SERVICE_ROLE = "postledger_service"

_DEFAULTS = {
    "application_name": "postledger",
    "connect_timeout": "10",
    "client_encoding": "UTF8",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

SEARCH_PATH = "public, projection, pg_temp"
"""`public` comes first, where only the owner can create anything: what the service creates, in the schemas of
the projections or as a temporary table, never stands for the log or the directory."""

_SETTINGS = """
    SELECT set_config('search_path', %(search_path)s, false), set_config('TimeZone', 'UTC', false),
           set_config('statement_timeout', %(milliseconds)s, false)
"""

_ASSUME_SERVICE_ROLE = """
    SELECT set_config('role', rolname, false)
    FROM pg_roles
    WHERE rolname = %(role)s AND %(service)s AND pg_has_role(current_user, oid, %(privilege)s)
"""


class PoolClosed(Exception):
    """The pool was closed before a connection was asked for."""


class PoolTimeout(TimeoutError):
    """No connection came free in time."""


def open_connection(url: str, service: bool = True, statement_timeout: float = 0.0) -> extensions.connection:
    """A connection of its own, outside any pool: UTC, the search path of the program, and the role of
    the service where the URL is of somebody else who may assume it. What the URL says about how long to wait
    for a connection wins. A statement may take `statement_timeout` seconds; 0 is as long as it takes.

    Raises psycopg2.OperationalError.
    """
    opened = psycopg2.connect(make_dsn(**{**_DEFAULTS, **parse_dsn(url)}))
    try:
        opened.autocommit = True
        # Which of the two tells whether SET ROLE is allowed depends on the server's version.
        privilege = "SET" if opened.server_version >= 160000 else "MEMBER"
        with opened.cursor() as cur:
            milliseconds = f"{statement_timeout * 1000:.0f}"
            cur.execute(_SETTINGS, {"search_path": SEARCH_PATH, "milliseconds": milliseconds})
            cur.execute(
                _ASSUME_SERVICE_ROLE, {"role": SERVICE_ROLE, "service": service, "privilege": privilege}
            )
        register_uuid(conn_or_curs=opened)  # type: ignore[no-untyped-call]
        opened.autocommit = False
    except BaseException:
        opened.close()
        raise
    return opened


def allow(cur: cursor, seconds: float) -> None:
    """For each statement of this transaction, where the connection allows less."""
    cur.execute("SELECT set_config('statement_timeout', %s, true)", (f"{seconds * 1000:.0f}",))


class Pool:
    """At most `size` connections, shared by threads. Whoever finds none free waits up to `timeout`
    seconds. A connection is replaced when it is older than `max_age` seconds or has died meanwhile.
    `statement_timeout` is as for `open_connection`."""

    def __init__(
        self,
        url: str,
        size: int = 8,
        service: bool = True,
        *,
        max_age: float = 3600.0,
        timeout: float = 30.0,
        statement_timeout: float = 0.0,
    ) -> None:
        self.url = url
        self.size = size
        self.service = service
        self.max_age = max_age
        self.timeout = timeout
        self.statement_timeout = statement_timeout
        self._changed = Condition()
        self._idle: list[tuple[extensions.connection, float]] = []
        self._in_use = 0
        self._closed = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[cursor]:
        """A cursor in a transaction, which is committed at the end, or rolled back when that raises."""
        with self.connection() as taken, taken.cursor() as cur:
            yield cur
            taken.commit()

    @contextlib.contextmanager
    def connection(self) -> Iterator[extensions.connection]:
        """A connection with autocommit off. What it has not committed is rolled back on return.

        Raises PoolTimeout, PoolClosed, psycopg2.OperationalError.
        """
        taken, born = self._take()
        try:
            yield taken
        finally:
            self._give_back(taken, born)

    def open(self) -> extensions.connection:
        """A connection like the pool's that belongs to the caller and does not count."""
        return open_connection(self.url, self.service, self.statement_timeout)

    def close(self) -> None:
        """Closes idle connections now, and those in use when they come back."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for kept, _ in idle:
            kept.close()

    def _take(self) -> tuple[extensions.connection, float]:
        while True:
            kept = self._reserve()
            if kept is None:
                try:
                    return self.open(), monotonic()
                except BaseException:
                    self._release()
                    raise
            if monotonic() - kept[1] < self.max_age and _is_alive(kept[0]):
                return kept
            kept[0].close()
            self._release()

    def _reserve(self) -> tuple[extensions.connection, float] | None:
        """An idle connection, or None for the right to open one."""
        deadline = monotonic() + self.timeout
        with self._changed:
            while not self._closed and self._in_use >= self.size:
                if not self._changed.wait(deadline - monotonic()):
                    raise PoolTimeout(f"no database connection came free within {self.timeout:g} seconds")
            if self._closed:
                raise PoolClosed("the connection pool is closed")
            self._in_use += 1
            return self._idle.pop() if self._idle else None

    def _give_back(self, taken: extensions.connection, born: float) -> None:
        reusable = False
        try:
            reusable = _reset(taken)
        finally:
            with self._changed:
                self._in_use -= 1
                if keep := reusable and not self._closed:
                    self._idle.append((taken, born))
                self._changed.notify()
            if not keep:
                taken.close()

    def _release(self) -> None:
        with self._changed:
            self._in_use -= 1
            self._changed.notify()


def _is_alive(kept: extensions.connection) -> bool:
    """An idle connection has nothing to say; one that has is mostly saying goodbye."""
    if kept.closed:
        return False
    poller = select.poll()
    poller.register(kept.fileno(), select.POLLIN)
    if not poller.poll(0):
        return True
    try:
        with kept.cursor() as cur:
            cur.execute("SELECT 1")
        kept.rollback()
    except psycopg2.Error:
        return False
    return True


def _reset(taken: extensions.connection) -> bool:
    """Whether the connection may be used again."""
    if taken.closed:
        return False
    try:
        if taken.info.transaction_status != TRANSACTION_STATUS_IDLE:
            taken.rollback()
        # A transaction that was begun by hand is not ended by psycopg2's rollback.
        if taken.info.transaction_status != TRANSACTION_STATUS_IDLE:
            return False
        taken.autocommit = False
    except psycopg2.Error:
        return False
    return True
