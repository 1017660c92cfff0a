"""A batch at its place in the log, before it is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from storage.log.chain import moment_of
from storage.log.entries import Entry


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
