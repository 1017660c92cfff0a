"""The recorders of the eventsourcing library, over the log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol
from uuid import UUID

import psycopg2
from eventsourcing import persistence
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from psycopg2.extensions import cursor

from storage.log.append import Log
from storage.log.subscription import LogSubscription
from storage.postgres.pool import Pool, PoolTimeout


class Appends(Protocol):
    """A Log, or a Committer."""

    def append(self, events: Sequence[StoredEvent], /) -> list[int]: ...


@contextlib.contextmanager
def library_errors() -> Iterator[None]:
    """Lets the errors of psycopg2 through as the library's errors of the same name."""
    try:
        yield
    except psycopg2.Error as error:
        for cls in type(error).__mro__:
            if cls.__module__ == "psycopg2" and hasattr(persistence, cls.__name__):
                raise getattr(persistence, cls.__name__)(str(error)) from error
        raise persistence.PersistenceError(str(error)) from error
    except PoolTimeout as error:
        raise persistence.OperationalError(str(error)) from error


_CHOSEN = """
    WHERE stream_id = %(stream)s
      AND (%(gt)s::integer IS NULL OR version > %(gt)s)
      AND (%(lte)s::integer IS NULL OR version <= %(lte)s)
"""
_ASCENDING = _CHOSEN + " ORDER BY version LIMIT %(limit)s"
_DESCENDING = _CHOSEN + " ORDER BY version DESC LIMIT %(limit)s"


class _StreamReader(AggregateRecorder):
    _select: str

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        chosen = {"stream": originator_id, "gt": gt, "lte": lte, "limit": limit}
        with library_errors(), self.pool.transaction() as cur:
            cur.execute(self._select + (_DESCENDING if desc else _ASCENDING), chosen)
            return [
                StoredEvent(stream, version, topic, bytes(state))
                for stream, version, topic, state in cur.fetchall()
            ]


class LogAggregateRecorder(_StreamReader):
    """The streams of the log."""

    _select = "SELECT stream_id, version, topic, state FROM events"

    def __init__(self, pool: Pool, log: Appends) -> None:
        super().__init__(pool)
        self.log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:  # noqa: ARG002
        """Raises Conflict, which is the library's IntegrityError."""
        with library_errors():
            self.log.append(stored_events)
        return None


class SnapshotRecorder(_StreamReader):
    """Snapshots lie beside the log: they are no history and can be thrown away."""

    _select = "SELECT stream_id, version, topic, state FROM snapshots"

    _INSERT = """
        INSERT INTO snapshots (stream_id, version, topic, state)
        VALUES (%(originator_id)s, %(originator_version)s, %(topic)s, %(state)s)
    """

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:  # noqa: ARG002
        with library_errors(), self.pool.transaction() as cur:
            cur.executemany(self._INSERT, list(map(vars, stored_events)))
        return None


class LogApplicationRecorder(LogAggregateRecorder, ApplicationRecorder):
    """Positions in the log are the notification ids: without gaps, in the order of the commits."""

    _NOTIFICATIONS = """
        SELECT stream_id, version, topic, state, position FROM events
        WHERE position >= %(start)s
          AND (%(stop)s::bigint IS NULL OR position <= %(stop)s)
          AND (%(topics)s::text[] = '{}' OR topic = ANY (%(topics)s))
        ORDER BY position LIMIT %(limit)s
    """

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:  # noqa: ARG002
        """The positions. Raises Conflict, which is the library's IntegrityError."""
        with library_errors():
            return self.log.append(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        first = 1 if start is None else start + (not inclusive_of_start)
        chosen = {"start": first, "limit": limit, "stop": stop, "topics": list(topics)}
        with library_errors(), self.pool.transaction() as cur:
            cur.execute(self._NOTIFICATIONS, chosen)
            return [
                Notification(stream, version, topic, bytes(state), position)
                for stream, version, topic, state, position in cur.fetchall()
            ]

    def max_notification_id(self) -> int | None:
        with library_errors(), self.pool.transaction() as cur:
            cur.execute("SELECT max(position) FROM events")
            return _value(cur)

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        return LogSubscription(self, self.pool, gt=gt, topics=topics)


class LogTrackingRecorder(TrackingRecorder):
    """How far a reader of the log has come: one row for each, which only moves forward."""

    _INSERT = """
        INSERT INTO tracking AS known (application_name, notification_id)
        VALUES (%(application_name)s, %(notification_id)s)
        ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id
        WHERE known.notification_id < excluded.notification_id
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def insert_tracking(self, tracking: Tracking) -> None:
        """Raises IntegrityError when the reader has come as far already."""
        with library_errors(), self.pool.transaction() as cur:
            self._insert_tracking(cur, tracking)

    def _insert_tracking(self, cur: cursor, tracking: Tracking) -> None:
        cur.execute(self._INSERT, vars(tracking))
        if cur.rowcount == 0:
            raise IntegrityError(
                f"{tracking.application_name} has come to {tracking.notification_id} already"
            )

    def max_tracking_id(self, application_name: str) -> int | None:
        with library_errors(), self.pool.transaction() as cur:
            cur.execute(
                "SELECT max(notification_id) FROM tracking WHERE application_name = %s", (application_name,)
            )
            return _value(cur)


class LogProcessRecorder(LogTrackingRecorder, LogApplicationRecorder, ProcessRecorder):
    """Events and the position that led to them are recorded together or not at all."""

    def __init__(self, pool: Pool, log: Log) -> None:
        LogApplicationRecorder.__init__(self, pool, log)
        self._own_log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """`tracking` is the position. Raises IntegrityError for events or a position that are known."""
        tracking: Tracking | None = kwargs.get("tracking")
        if tracking is None:
            return super().insert_events(stored_events, **kwargs)
        with library_errors(), self.pool.transaction() as cur:
            self._insert_tracking(cur, tracking)
            return self._own_log.append_within(cur, stored_events)


def _value(cur: cursor) -> int | None:
    row = cur.fetchone()
    return None if row is None else row[0]
