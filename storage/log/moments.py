"""The log by time: which of its events were there at a moment. Times in the log never go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from storage.log.feed import COLUMNS, Recorded, recorded

# Halves the range of each stream's versions until one is left: as many looks into an index as the number of
# events has binary digits, however long the stream is.
VERSIONS_BEFORE = """
    WITH RECURSIVE search AS (
        SELECT asked, stream, moment, 0 AS low,
               coalesce((SELECT max(version) FROM events WHERE stream_id = stream), 0) + 1 AS high
        FROM unnest(%(streams)s::uuid[], %(moments)s::timestamptz[])
             WITH ORDINALITY AS a (stream, moment, asked)
        UNION ALL
        SELECT asked, stream, moment, CASE WHEN is_before THEN (low + high) / 2 ELSE low END,
               CASE WHEN is_before THEN high ELSE (low + high) / 2 END
        FROM (SELECT search.*, coalesce((SELECT e.recorded_at < moment FROM events e
                                         WHERE e.stream_id = stream AND e.version = (low + high) / 2), true)
                     AS is_before
              FROM search WHERE high - low > 1) AS halved
    )
    SELECT low FROM search WHERE high - low = 1 ORDER BY asked
"""

POSITION_BEFORE = """
    WITH RECURSIVE search AS (
        SELECT 0::bigint AS low, position + 1 AS high FROM log_head
        UNION ALL
        SELECT CASE WHEN is_before THEN (low + high) / 2 ELSE low END,
               CASE WHEN is_before THEN high ELSE (low + high) / 2 END
        FROM (SELECT search.*, coalesce((SELECT recorded_at < %s FROM events
                                         WHERE position = (low + high) / 2), true) AS is_before
              FROM search WHERE high - low > 1) AS halved
    )
    SELECT low FROM search WHERE high - low = 1
"""

OF_STREAMS = COLUMNS + "WHERE stream_id = ANY (%s::uuid[]) AND recorded_at <= %s ORDER BY position LIMIT %s"
OF_EACH = """
    SELECT stream::text, e.recorded_at, e.version, e.topic, convert_from(e.state, 'UTF8')
    FROM unnest(%(streams)s::uuid[], %(after)s::bigint[]) AS s (stream, after)
    CROSS JOIN LATERAL (
        SELECT recorded_at, version, topic, state FROM events
        WHERE stream_id = stream AND version > after
        ORDER BY version LIMIT %(most)s
    ) AS e
"""


def versions_before(cursor: Any, asked: Sequence[tuple[UUID, datetime]]) -> list[int]:
    """The version that each stream had just before its moment, 0 for none."""
    streams, moments = [str(stream) for stream, _ in asked], [moment for _, moment in asked]
    cursor.execute(VERSIONS_BEFORE, {"streams": streams, "moments": moments})
    return [version for (version,) in cursor.fetchall()]


def position_before(cursor: Any, at: datetime) -> int:
    """The last position that was recorded before `at`, 0 for none."""
    cursor.execute(POSITION_BEFORE, (at,))
    return int(cursor.fetchone()[0])


def of_streams(cursor: Any, streams: Sequence[UUID], until: datetime, most: int) -> list[Recorded]:
    """All of them from their beginning, in the order of the log."""
    cursor.execute(OF_STREAMS, ([str(stream) for stream in streams], until, most))
    return recorded(cursor.fetchall())


def of_each(
    cursor: Any, after: Mapping[UUID, int], most: int
) -> dict[UUID, list[tuple[datetime, int, str, str]]]:
    """The next events of each stream after a version, at most so many: when, version, topic and state."""
    streams = [str(stream) for stream in after]
    cursor.execute(OF_EACH, {"streams": streams, "after": list(after.values()), "most": most})
    found: dict[UUID, list[tuple[datetime, int, str, str]]] = {stream: [] for stream in after}
    for stream, *event in cursor.fetchall():
        at, version, topic, state = event
        found[UUID(stream)].append((at, version, topic, state))
    return found
