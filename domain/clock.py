"""What time it is, for everybody who is not in the domain: the domain is told the time.

One clock counts for all processes, the database's, since those of several hosts differ. Each process
reads it now and then and goes on from there by its machine's own steady clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import NamedTuple, Protocol

DRIFT = 0.1
"""Seconds a second by which this machine's clock and the database's may part: a clock that is being set
right little by little goes up to a twelfth too fast or too slow."""

MOST_UNCERTAIN = 0.5
"""Seconds that the time may be unsure by: a clock that is less sure is not trusted."""

SET_SECONDS = 0.5
"""A host's clock that moved so far from its steady one was set, or the machine stood still."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware datetime in UTC."""

    def seconds(self) -> float:
        """The same as seconds since the epoch, for who asks many times."""

    def earliest(self) -> float:
        """The present is not before this second since the epoch, as far as is known."""

    def latest(self) -> float:
        """The present is certainly not after this second since the epoch; infinite when the clock is not to
        be trusted, so that nothing which has to happen in time happens."""

    def is_trusted(self) -> bool:
        """Whether it is known well enough what time it is for all."""

    def steady(self) -> float:
        """Seconds since some moment in the past, evenly, whatever the time is set to."""

    def heard(self, theirs: float, asked: float) -> float:
        """What the clock that counts for all showed (seconds since the epoch) between `asked` (by `steady`)
        and now. Returns by how many seconds it was set since it was heard last, 0.0 when it was not."""


steady_seconds: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds since this machine started, asleep or awake."""


class _Reading(NamedTuple):
    """`offset` leads from the steady clock to the one that counts, give or take `error` at the time `at`;
    `host` leads to the host's own."""

    at: float
    offset: float
    error: float
    host: float

    def uncertainty(self, steady: float) -> float:
        return self.error + DRIFT * (steady - self.at)


class SystemClock:
    """The time that counts for all, as far as it was heard of; until then this host's. May be used from any
    thread."""

    def __init__(
        self, host: Callable[[], float] = time.time, steady: Callable[[], float] = steady_seconds
    ) -> None:
        self._host = host
        self.steady = steady
        self._reading: _Reading | None = None

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    def seconds(self) -> float:
        reading = self._reading
        return self._host() if reading is None else self.steady() + reading.offset

    def earliest(self) -> float:
        reading, steady = self._reading, self.steady()
        if reading is None:
            return self._host()
        return steady + reading.offset - reading.uncertainty(steady)

    def latest(self) -> float:
        reading, steady = self._reading, self.steady()
        if reading is None:
            return inf
        at, offset, error, host = reading
        uncertainty = error + DRIFT * (steady - at)
        if uncertainty > MOST_UNCERTAIN or not -SET_SECONDS < self._host() - steady - host < SET_SECONDS:
            return inf
        return steady + offset + uncertainty

    def is_trusted(self) -> bool:
        return self.latest() < inf

    def heard(self, theirs: float, asked: float) -> float:
        steady = self.steady()
        error = (steady - asked) / 2
        new = _Reading(steady, theirs + error - steady, error, self._host() - steady)
        old, jump = self._reading, 0.0
        if old is not None:
            apart, known = new.offset - old.offset, old.uncertainty(steady)
            if abs(apart) > known + error:
                jump = apart
            elif known < error and self.is_trusted():
                return 0.0
        self._reading = new
        return jump


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds: as programs are told."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class VirtualClock:
    """Stands still until it is moved, and never goes back. It is itself the one that counts for all."""

    def __init__(self, start: datetime) -> None:
        self._now = _in_utc(start)

    def now(self) -> datetime:
        return self._now

    def seconds(self) -> float:
        return self._now.timestamp()

    earliest = latest = steady = seconds

    def is_trusted(self) -> bool:
        return True

    def heard(self, _theirs: float, _asked: float) -> float:
        return 0.0

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
