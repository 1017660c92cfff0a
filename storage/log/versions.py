"""How far streams have come, and what of them is in the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from storage.log.entries import Entry


def versions(cursor: Any, streams: Sequence[UUID]) -> dict[UUID, int]:
    """The version of the last event of each stream that has one."""
    cursor.execute(
        """
        SELECT asked.stream::text, last.version FROM unnest(%s::uuid[]) AS asked (stream)
        CROSS JOIN LATERAL (SELECT version FROM events WHERE stream_id = asked.stream
                            ORDER BY version DESC LIMIT 1) AS last
        """,
        ([str(stream) for stream in streams],),
    )
    return {UUID(stream): version for stream, version in cursor.fetchall()}


def already_there(cursor: Any, entries: Sequence[Entry]) -> set[tuple[bytes, int]]:
    """Those of the events that are in the log, by stream and version."""
    cursor.execute(
        """
        SELECT uuid_send(stream_id), version
        FROM unnest(%(streams)s::uuid[], %(versions)s::integer[]) AS wanted (stream_id, version)
        JOIN events USING (stream_id, version)
        """,
        {"streams": [entry[0].hex() for entry in entries], "versions": [entry[1] for entry in entries]},
    )
    return {(bytes(stream), version) for stream, version in cursor.fetchall()}
