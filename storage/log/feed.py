"""The log read forward from a position, a bounded stretch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

STRETCH = 100_000
"""Positions that one reading looks at: filters that nothing passes cost no more."""

COLUMNS = """
    SELECT position, recorded_at, stream_id::text, version, topic, convert_from(state, 'UTF8'), hash
    FROM events
"""
READ = (
    COLUMNS
    + """
    WHERE position > %(after)s AND position <= %(upto)s
      AND (%(topics)s::text[] IS NULL OR topic = ANY (%(topics)s))
      AND (%(first)s::uuid IS NULL OR stream_id BETWEEN %(first)s AND %(last)s)
    ORDER BY position LIMIT %(limit)s
"""
)
NEWEST = COLUMNS + "WHERE starts_with(topic, %s) ORDER BY position DESC LIMIT %s"
FOLLOWING = COLUMNS + "WHERE position > %s AND starts_with(topic, %s) ORDER BY position LIMIT %s"
OF_STREAM = COLUMNS + "WHERE stream_id = %s ORDER BY version LIMIT %s"


class Recorded(NamedTuple):
    """An event as it is in the log; `state` is JSON."""

    position: int
    recorded_at: datetime
    stream: UUID
    version: int
    topic: str
    state: str
    hash: bytes


class FeedPage(NamedTuple):
    """`next` is the position to go on after: that of the last event, or how far the log was looked
    through. `head` is the last position of the log."""

    events: list[Recorded]
    next: int
    head: int


def read(
    cursor: Any,
    after: int,
    limit: int,
    *,
    topics: Sequence[str] = (),
    streams: tuple[UUID, UUID] | None = None,
) -> FeedPage:
    """Events after a position, in order. `streams` are the first and the last of those that are meant."""
    cursor.execute("SELECT position FROM log_head")
    head = int(cursor.fetchone()[0])
    upto = min(head, after + STRETCH)
    first, last = streams or (None, None)
    cursor.execute(
        READ,
        {
            "after": after,
            "upto": upto,
            "limit": limit,
            "topics": list(topics) or None,
            "first": None if first is None else str(first),
            "last": None if last is None else str(last),
        },
    )
    events = recorded(cursor.fetchall())
    is_full = len(events) == limit
    return FeedPage(events, events[-1].position if is_full else max(after, upto), head)


def newest(cursor: Any, topic: str, limit: int) -> list[Recorded]:
    """Newest first, those whose topics begin with `topic`."""
    cursor.execute(NEWEST, (topic, limit))
    return recorded(cursor.fetchall())


def following(cursor: Any, after: int, topic: str, limit: int) -> list[Recorded]:
    """After a position, those whose topics begin with `topic`."""
    cursor.execute(FOLLOWING, (after, topic, limit))
    return recorded(cursor.fetchall())


def of_stream(cursor: Any, stream: UUID, most: int) -> list[Recorded]:
    """The first `most` events of one stream."""
    cursor.execute(OF_STREAM, (str(stream), most))
    return recorded(cursor.fetchall())


def recorded(rows: Sequence[Any]) -> list[Recorded]:
    return [
        Recorded(position, at, UUID(stream), version, topic, state, bytes(digest))
        for position, at, stream, version, topic, state, digest in rows
    ]
