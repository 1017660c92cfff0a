"""Appending to the log, one commit at a time. Where many threads append, `Committer` shares commits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from threading import Lock
from time import monotonic, sleep

import psycopg2
from eventsourcing.persistence import StoredEvent
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import connection, cursor

from domain.clock import Clock, SystemClock
from storage.log.entries import Conflict, Fenced, Unavailable, Unresolved, entries, repeats
from storage.log.writer import ConnectionLost, Sealed, Writer, Writing
from storage.postgres.pool import Pool

__all__ = ["Conflict", "Fenced", "Log", "Unavailable", "Unresolved"]

_PAUSE = 0.1


class Log:
    """Appends from any thread. A connection that breaks in the middle is replaced for up to `patience`
    seconds, and what was under way is looked for in the log before it is sent again."""

    def __init__(self, pool: Pool, clock: Clock | None = None, *, patience: float = 30.0) -> None:
        self._pool = pool
        self._clock = clock or SystemClock()
        self._patience = patience
        self._writer = Writer(self._clock)
        self._turn = Lock()

    def append(self, *batches: Sequence[StoredEvent], notify: bool = True) -> list[int]:
        """Commits all of the batches or nothing; returns the positions, in the order given.

        Raises Conflict, Unavailable, Unresolved, DataError, and psycopg2.Error when the server refuses.
        """
        batch = _batch(batches, notify)
        if not batch.entries:
            return []
        with self._turn:
            sealed = self._settle(batch)
        return list(range(sealed.first, sealed.position + 1))

    def append_within(self, cur: cursor, events: Sequence[StoredEvent], *, notify: bool = True) -> list[int]:
        """Appends as part of the caller's transaction, best as its last step: until its end, nobody else
        can append.

        Raises Conflict, after which the transaction can only be rolled back; DataError; psycopg2.Error.
        """
        batch = _batch([events], notify)
        if not batch.entries:
            return []
        try:
            sealed = Writer(self._clock).append_within(cur, batch)
        except UniqueViolation as error:
            raise Conflict(error.diag.message_detail) from error
        return list(range(sealed.first, sealed.position + 1))

    def _settle(self, batch: Writing) -> Sealed:
        deadline = monotonic() + self._patience
        while True:
            try:
                with self._connection() as opened:
                    return self._writer.append(opened, batch)
            except UniqueViolation as error:
                raise Conflict(error.diag.message_detail) from error
            except ConnectionLost as error:
                if monotonic() > deadline:
                    reason = Unresolved if batch.unanswered else Unavailable
                    raise reason(str(error)) from error
                sleep(_PAUSE)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[connection]:
        with contextlib.ExitStack() as stack:
            try:
                opened = stack.enter_context(self._pool.connection())
            except psycopg2.OperationalError as error:
                raise ConnectionLost(str(error)) from error
            opened.autocommit = True
            yield opened


def _batch(parts: Sequence[Sequence[StoredEvent]], notify: bool) -> Writing:
    batch = Writing([entry for part in parts for entry in entries(part)], notify)
    if repeats([batch.entries])[0]:
        raise Conflict("two events of one version in one stream were to be appended together")
    return batch
