"""What time it is, for everybody who is not in the domain: the domain is told the time."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware datetime in UTC."""

    def seconds(self) -> float:
        """The same as seconds since the epoch, for who asks many times."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def seconds(self) -> float:
        return time()


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds: as programs are told."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class VirtualClock:
    """Stands still until it is moved, and never goes back."""

    def __init__(self, start: datetime) -> None:
        self._now = _in_utc(start)

    def now(self) -> datetime:
        return self._now

    def seconds(self) -> float:
        return self._now.timestamp()

    def advance_to(self, instant: datetime) -> None:
        """Raises ValueError for an instant before now."""
        instant = _in_utc(instant)
        if instant < self._now:
            raise ValueError(f"a clock does not go back: it is {self._now}, not {instant}")
        self._now = instant


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return instant.astimezone(UTC)
