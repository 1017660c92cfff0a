"""How far streams have come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID


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
