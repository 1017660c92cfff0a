"""A plain event: something that happened, written without loading an aggregate first.

The state of a fact in the log is its fields as compact JSON, defaults left out. The library's
own mapper reads it back: a left-out field falls back to the default on the class.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import register_topic

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, kw_only=True)
class Fact:
    """`by` is who did it: `processor:3`, `cli`, `api`, later a user or a key."""

    TOPIC: ClassVar[str] = ""

    originator_id: UUID
    originator_version: int
    by: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register_topic(cls.TOPIC, cls)

    def stored(self) -> StoredEvent:
        return StoredEvent(
            originator_id=self.originator_id,
            originator_version=self.originator_version,
            topic=self.TOPIC,
            state=self.state().encode(),
        )

    def entry(self) -> tuple[bytes, int, str, bytes]:
        """Stream, version, topic, state: the same as `stored`, for who hands it on in thousands."""
        return self.originator_id.bytes, self.originator_version, self.TOPIC, self.state().encode()

    def state(self) -> str:
        """The JSON that the log keeps."""
        values, cls = vars(self), cast(Any, type(self))
        return _encode(
            {name: values[name] for name, default in _state_fields(cls) if values[name] != default}
        )


@cache
def _state_fields(cls: type[Fact]) -> tuple[tuple[str, object], ...]:
    return tuple(
        (field.name, field.default)
        for field in fields(cls)
        if field.name not in ("originator_id", "originator_version") and field.default_factory is MISSING
    )


class Happened(NamedTuple):
    """An event of the log, and when it was recorded."""

    at: datetime
    event: object
