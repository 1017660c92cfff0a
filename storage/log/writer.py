"""How events get into the log over one connection: in one statement, as long as nobody else appends.

The hashes of a batch depend on the head of the log, so the head is remembered from the last append and
the batch is sealed (numbered and hashed) against it beforehand. One statement then moves the head, if it
is still there, and inserts the events. Where others have moved it meanwhile, its row is locked first.

A sealed batch can be sent again after the connection broke: it can get in at its one place only, and
only once. Whether it did is seen from the hash that stands at its last position.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg2
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor

from domain.clock import Clock
from storage.log.arrays import array, quoted
from storage.log.chain import chained, microseconds, moment_of
from storage.log.entries import DamagedLog, Entry, Fenced

LARGEST_STEP_BACK = 5_000_000
"""Microseconds. `recorded_at` does not decrease from one event to the next, unless the clock is further
behind the log than this: then the log was written under a wrong clock, and the present one is taken."""

_APPEND = """
    WITH writer AS (
        SELECT FROM processors WHERE number = %(processor)s AND NOT fenced FOR SHARE
    ), moved AS (
        UPDATE log_head
        SET position = %(position)s, hash = %(hash)s, recorded_at = %(recorded_at)s
        WHERE position = %(old_position)s AND hash = %(old_hash)s
          AND (%(old_place)s::tid IS NULL OR ctid = %(old_place)s::tid)
          AND (%(processor)s::integer IS NULL OR EXISTS (SELECT FROM writer))
        RETURNING ctid AS place
    ), written AS (
        INSERT INTO events (position, recorded_at, stream_id, version, topic, state, hash)
        SELECT %(old_position)s + n, %(recorded_at)s, stream, version, topic,
               decode(state, 'hex'), decode(hash, 'hex')
        FROM moved, unnest(
            %(streams)s::uuid[], %(versions)s::integer[], %(topics)s::text[],
            %(states)s::text[], %(hashes)s::text[]
        ) WITH ORDINALITY AS event (stream, version, topic, state, hash, n)
    )
    SELECT (SELECT place::text FROM moved),
           %(processor)s::integer IS NULL OR EXISTS (SELECT FROM writer),
           (SELECT pg_notify('postledger_log', %(position)s::text) FROM moved WHERE %(notify)s)
"""

_PARAMETERS = {
    "processor": "integer",
    "position": "bigint",
    "hash": "bytea",
    "recorded_at": "timestamptz",
    "old_position": "bigint",
    "old_hash": "bytea",
    "old_place": "tid",
    "streams": "uuid[]",
    "versions": "integer[]",
    "topics": "text[]",
    "states": "text[]",
    "hashes": "text[]",
    "notify": "boolean",
}
# Planning anew takes as long as ten events; the plan is the same for all arguments.
_PREPARE = (
    "SET plan_cache_mode = force_generic_plan; "
    f"PREPARE append_events ({', '.join(_PARAMETERS.values())}) AS "
    + _APPEND
    % {name: f"${place}" for place, name in enumerate(_PARAMETERS, start=1)}
)
_APPEND_PREPARED = f"EXECUTE append_events ({', '.join(f'%({name})s' for name in _PARAMETERS)})"

_LOCK = """
    WITH writer AS (
        SELECT FROM processors WHERE number = %(processor)s AND NOT fenced FOR SHARE
    )
    SELECT position, hash, recorded_at, extract(epoch FROM clock_timestamp())::float8
    FROM log_head
    WHERE %(processor)s::integer IS NULL OR EXISTS (SELECT FROM writer)
    FOR UPDATE OF log_head
"""

# Whoever is suspended while holding the lock would stop everybody.
_BEGIN = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '5s';"

_COMMIT_AND_SHOW = "; COMMIT; SELECT hash FROM events WHERE position = %(position)s"

_SHOW = "SELECT hash FROM events WHERE position = %(position)s"


class ConnectionLost(Exception):
    """The connection is gone, or none could be had. What was under way may have been committed."""


class Head(NamedTuple):
    position: int
    hash: bytes
    recorded_at: int
    place: str | None
    """The ctid of the row of the head, where known: finds it at once among its many dead versions."""


class Sealed(NamedTuple):
    """A batch at its place in the log."""

    old: Head
    position: int
    hash: bytes
    recorded_at: int
    parameters: dict[str, Any]

    @property
    def first(self) -> int:
        return self.old.position + 1

    @property
    def moment(self) -> datetime:
        return moment_of(self.recorded_at)


@dataclass
class Writing:
    """Entries on their way into the log, all or none. `unanswered` from the moment that a connection
    broke between sending and answer."""

    entries: list[Entry]
    notify: bool = True
    sealed: Sealed | None = None
    unanswered: bool = False


class Writer:
    """Not for two threads at once. With a processor's number, nothing is appended once it is fenced."""

    def __init__(self, clock: Clock, processor: int | None = None) -> None:
        self._clock = clock
        self._processor = processor
        self._head: Head | None = None
        self._has_rivals = False
        self._append_statement = _APPEND

    def prepare(self, opened: connection) -> None:
        """Makes appending over this connection quicker; from here on it is to be the only one. Raises
        ConnectionLost."""
        try:
            with opened.cursor() as cur:
                cur.execute(_PREPARE)
        except psycopg2.OperationalError as error:
            raise ConnectionLost(str(error)) from error
        self._append_statement = _APPEND_PREPARED

    def append(self, opened: connection, batch: Writing) -> Sealed:
        """Commits the batch, or finds that it was committed before. The connection is in autocommit mode.

        Raises ConnectionLost, after which the same batch is to be given again, over another connection;
        UniqueViolation when a stream has one of the versions; Fenced; DamagedLog; another psycopg2.Error
        when the server refused. After all but ConnectionLost the batch is certainly not in the log.
        """
        try:
            return self._append(opened, batch)
        except psycopg2.Error as error:
            if opened.closed:
                batch.unanswered |= batch.sealed is not None
                self._head = None
                raise ConnectionLost(str(error)) from error
            if batch.unanswered and not isinstance(error, UniqueViolation):
                # The try that was not answered may still be on its way.
                raise ConnectionLost(str(error)) from error
            batch.sealed = None
            _raise_if_damaged(error)
            raise

    def append_within(self, cur: cursor, batch: Writing) -> Sealed:
        """The same as part of the caller's transaction. Others append only after its end.

        Raises UniqueViolation, Fenced, DamagedLog, psycopg2.Error.
        """
        head = self._lock(cur, _LOCK)
        batch.sealed = self._seal(head, batch)
        try:
            place, _ = self._send(cur, batch.sealed)
        except psycopg2.Error as error:
            _raise_if_damaged(error)
            raise
        if place is None:
            raise DamagedLog("the head of the log moved although it was locked")
        return batch.sealed

    def _append(self, opened: connection, batch: Writing) -> Sealed:
        with opened.cursor() as cur:
            if batch.sealed is None:
                if self._head is None or self._has_rivals or not self._clock.is_trusted():
                    return self._append_locked(cur, batch)
                batch.sealed = self._seal(self._head, batch)
            place, may_write = self._send(cur, batch.sealed)
            if place is not None:
                return self._settled(batch.sealed, place)
            # The head is elsewhere, so an earlier try that was not answered has either come in or never will.
            if batch.unanswered and _stands_in(cur, batch.sealed):
                return batch.sealed
            if not may_write:
                raise Fenced(f"processor {self._processor} was fenced")
            return self._append_locked(cur, batch)

    def _send(self, cur: cursor, sealed: Sealed) -> tuple[str | None, bool]:
        """Where the row of the head is now (None: not moved), and whether the processor may write."""
        cur.execute(self._append_statement, sealed.parameters)
        row = cur.fetchone()
        assert row is not None
        return row[0], row[1]

    def _append_locked(self, cur: cursor, batch: Writing) -> Sealed:
        batch.sealed, batch.unanswered = None, False
        try:
            head = self._lock(cur, _BEGIN + _LOCK)
            self._has_rivals = self._head is not None and head.position != self._head.position
            sealed = batch.sealed = self._seal(head, batch)
            # In one message with COMMIT, so that nobody else waits for it when the connection breaks here.
            cur.execute(self._append_statement + _COMMIT_AND_SHOW, sealed.parameters)
        except (psycopg2.Error, Fenced):
            self._roll_back(cur, batch)
            raise
        if not _shows(cur, sealed):
            raise DamagedLog("the head of the log moved although it was locked")
        return self._settled(sealed, None)

    def _roll_back(self, cur: cursor, batch: Writing) -> None:
        if cur.connection.closed:
            return
        if cur.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            # Something went wrong during COMMIT or after it.
            batch.unanswered = batch.sealed is not None
        else:
            cur.execute("ROLLBACK")

    def _lock(self, cur: cursor, statement: str) -> Head:
        asked = self._clock.steady()
        cur.execute(statement, {"processor": self._processor})
        row = cur.fetchone()
        if row is None:
            raise Fenced(f"processor {self._processor} was fenced")
        position, hash_, recorded_at, now = row
        self._clock.heard(now, asked)
        return Head(position, bytes(hash_), microseconds(recorded_at), None)

    def _settled(self, sealed: Sealed, place: str | None) -> Sealed:
        self._head = Head(sealed.position, sealed.hash, sealed.recorded_at, place)
        return sealed

    def _seal(self, head: Head, batch: Writing) -> Sealed:
        recorded_at = microseconds(self._clock.now())
        if 0 < head.recorded_at - recorded_at <= LARGEST_STEP_BACK:
            recorded_at = head.recorded_at
        hashes = chained(head.hash, head.position + 1, recorded_at, batch.entries)
        position = head.position + len(hashes)
        streams, versions, topics, states = zip(*batch.entries, strict=True)
        parameters = {
            "processor": self._processor,
            "position": position,
            "hash": hashes[-1],
            "recorded_at": moment_of(recorded_at),
            "old_place": head.place,
            "old_position": head.position,
            "old_hash": head.hash,
            "streams": array(map(bytes.hex, streams)),
            "versions": array(map(str, versions)),
            "topics": array(map(quoted, topics)),
            "states": array(state.hex() or '""' for state in states),
            "hashes": array(map(bytes.hex, hashes)),
            "notify": batch.notify,
        }
        return Sealed(head, position, hashes[-1], recorded_at, parameters)


def _stands_in(cur: cursor, sealed: Sealed) -> bool:
    cur.execute(_SHOW, sealed.parameters)
    return _shows(cur, sealed)


def _shows(cur: cursor, sealed: Sealed) -> bool:
    row = cur.fetchone()
    return row is not None and bytes(row[0]) == sealed.hash


def _raise_if_damaged(error: psycopg2.Error) -> None:
    if isinstance(error, UniqueViolation) and error.diag.constraint_name == "events_pkey":
        raise DamagedLog("the log has events beyond its head") from error
