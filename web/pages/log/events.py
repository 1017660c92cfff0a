"""Events of the log as they are, read by position or by stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

COLUMNS = """
    SELECT position, recorded_at, stream_id, version, topic, convert_from(state, 'UTF8'), encode(hash, 'hex')
    FROM events
"""
OF_STREAM = (
    COLUMNS
    + """
    WHERE stream_id = %(stream)s
    ORDER BY version DESC LIMIT %(limit)s
"""
)


@dataclass(frozen=True)
class LoggedEvent:
    """`text` is the state as it stands in the log."""

    position: int
    recorded_at: datetime
    stream: UUID
    version: int
    topic: str
    text: str
    hash: str

    @property
    def state(self) -> dict[str, Any]:
        found = json.loads(self.text)
        return found if isinstance(found, dict) else {}

    @property
    def by(self) -> str:
        return str(self.state.get("by", ""))

    @property
    def raw(self) -> str:
        """For people: the whole event, as JSON."""
        event = {
            "position": self.position,
            "recorded_at": self.recorded_at.isoformat(),
            "stream": str(self.stream),
            "version": self.version,
            "topic": self.topic,
            "state": self.state,
            "hash": self.hash,
        }
        return json.dumps(event, indent=2, ensure_ascii=False)


def events_of(rows: Iterable[tuple[Any, ...]]) -> list[LoggedEvent]:
    return [
        LoggedEvent(position, at.astimezone(UTC), UUID(str(stream)), version, topic, text, digest)
        for position, at, stream, version, topic, text, digest in rows
    ]


def newest_of_stream(cursor: Any, stream: UUID, limit: int) -> list[LoggedEvent]:
    """Newest first."""
    cursor.execute(OF_STREAM, {"stream": str(stream), "limit": limit})
    return events_of(cursor.fetchall())
