"""What a server may still send: reservations against its daily and rolling limits, as facts.

A reservation is used for attempts until `until`, on the one local date `day`. Units that no attempt
used come back to both limits; units of attempts that certainly ended before the final dot come back
to the daily limit only, since the server was given them all the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Self

from domain.fact import Fact

LONGEST_WINDOW = 86_400
"""The longest rolling window of a server, in seconds."""

LONGEST_VALIDITY = 600
"""The longest time from a reservation to its `until`, in seconds."""

AHEAD = 15.0
"""Seconds. No reservation that is made now, by whoever, lasts longer from now on. One that does was made
before the clock was set back."""

CLOCKS_DIFFER = 1.0
"""Seconds that what two processors take for the present may be apart: twice what a clock may be unsure by."""

_MANY = 4096


@dataclass(frozen=True, kw_only=True)
class Reserved(Fact):
    """`n` attempts on the local date `day` (YYYY-MM-DD), to be started before `until` (epoch seconds).
    A reservation is named by the version of its Reserved in the capacity stream."""

    TOPIC: ClassVar[str] = "capacity.reserved"
    n: int
    day: str
    until: float


@dataclass(frozen=True, kw_only=True)
class Returned(Fact):
    """Closes a reservation, at most once: no attempt names it any more. `at` is when (epoch seconds)."""

    TOPIC: ClassVar[str] = "capacity.returned"
    reservation: int
    at: float
    unused: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Limits:
    """`daily` 0 is unlimited; `sliding` is (N, W): at most N attempts in any stretch of W seconds."""

    daily: int = 0
    sliding: tuple[int, float] | None = None

    @property
    def window(self) -> float:
        return self.sliding[1] if self.sliding else 0.0

    def left_today(self, used: int) -> int | None:
        """None: unlimited."""
        return max(0, self.daily - used) if self.daily else None

    def left_in_window(self, counted: int) -> int | None:
        """None: unlimited."""
        return max(0, self.sliding[0] - counted) if self.sliding else None

    def frees_at(self, uses: Iterable[tuple[float, int]], now: float) -> float | None:
        """When the rolling window lets another one through, if these are its uses (when the last of them
        was, how many), nothing is returned and nothing reserved: `now` when it does already, None when it
        never will."""
        if self.sliding is None:
            return now
        most, window = self.sliding
        counted = [(last_use + window, units) for last_use, units in uses if last_use + window > now]
        excess = sum(units for _, units in counted) - most
        if excess < 0:
            return now
        for leaves, units in sorted(counted):
            excess -= units
            if excess < 0:
                return leaves
        return None

    def allow(self, others: Limits) -> bool:
        """Whether whatever `others` let through, these do too."""
        if self.daily and not 0 < others.daily <= self.daily:
            return False
        if self.sliding is None:
            return True
        if others.sliding is None:
            return False
        return others.sliding[0] <= self.sliding[0] and others.sliding[1] >= self.sliding[1]


@dataclass(slots=True)
class _OpenReservation:
    """A reservation that attempts may still name, or that nobody has returned."""

    n: int
    day: str
    until: float


@dataclass(frozen=True, kw_only=True)
class CapacityState:
    """What counts of a capacity stream up to `version`: units used by local date, closed uses (the last
    moment, units), and reservations that are still open (units, local date, `until`) by their version.
    Moments are epoch seconds."""

    version: int
    used: Mapping[str, int]
    closed: Sequence[tuple[float, int]]
    open: Mapping[int, tuple[int, str, float]]


class Capacity:
    """The state that one server's capacity stream comes to.

    A unit counts in the rolling window from its reservation until W after the last moment at which
    it can have been used: `until`, or the return if that came first. So whatever was reserved
    before, the attempts of any stretch of W seconds were all counted when the last of them was
    reserved, and an overshoot is impossible.

    Events are applied in order of version; the first may be any, if what came before it is out of
    reach (`is_out_of_reach`), and a Returned of an unknown reservation changes nothing. `window` is
    the longest W in seconds that will be asked for: when a server gets a longer one, its stream has
    to be folded anew. So has one whose clock was set back by more than a day.
    """

    def __init__(self, window: float) -> None:
        self.version = 0
        self._window = window
        self._open: dict[int, _OpenReservation] = {}
        self._closed: list[tuple[float, int]] = []
        self._used: dict[str, int] = {}
        self._furthest = 0.0

    @classmethod
    def of(cls, state: CapacityState, window: float) -> Self:
        """As if all events up to there had been applied, as far as they count."""
        capacity = cls(window)
        capacity.version = state.version
        capacity._open = {version: _OpenReservation(*one) for version, one in state.open.items()}
        capacity._closed = sorted(state.closed)
        capacity._used = dict(state.used)
        capacity._furthest = max((last_use for last_use, _ in capacity._uses()), default=0.0)
        return capacity

    def apply(self, version: int, event: object) -> None:
        """Raises ValueError when an event was skipped: the sum would be wrong without a sign."""
        if self.version and version != self.version + 1:
            raise ValueError(f"capacity is at version {self.version}, the event is version {version}")
        self.version = version
        if isinstance(event, Reserved):
            self._open[version] = _OpenReservation(event.n, event.day, event.until)
            self._furthest = max(self._furthest, event.until)
            self._used[event.day] = self._used.get(event.day, 0) + event.n
        elif isinstance(event, Returned):
            self._close(event)

    def _close(self, returned: Returned) -> None:
        reservation = self._open.pop(returned.reservation, None)
        if reservation is None:
            return
        if reservation.day in self._used:
            self._used[reservation.day] -= returned.unused + returned.refused
        if returned.unused < reservation.n:
            last_use = min(returned.at, reservation.until)
            heapq.heappush(self._closed, (last_use, reservation.n - returned.unused))

    def used_on(self, day: str) -> int:
        """Reserved and not given back on a local date (today or yesterday)."""
        return self._used.get(day, 0)

    def available(self, now: float, day: str, limits: Limits) -> int | None:
        """How many attempts may be reserved now, on the local date `day`; None when unlimited."""
        self._forget(now, day, limits)
        left = [limits.left_today(self.used_on(day))]
        if limits.sliding:
            left.append(limits.left_in_window(self.in_window(now, limits.window)))
        return min((units for units in left if units is not None), default=None)

    def counts(self, now: float, day: str, limits: Limits) -> tuple[int, int, float | None]:
        """What is used on the local date, what is in the rolling window, and when that lets another one
        through: `now` when it does, None when it never will."""
        self._forget(now, day, limits)
        in_window = self.in_window(now, limits.window) if limits.sliding else 0
        is_full = limits.left_in_window(in_window) == 0
        return self.used_on(day), in_window, limits.frees_at(self._uses(), now) if is_full else now

    def rolling_frees_at(self, now: float, limits: Limits) -> float | None:
        """When the rolling remainder, which is 0 now, exceeds 0, if nothing is returned or reserved
        before; `now` when it exceeds 0 already; None when it never will."""
        self._leave_out_the_future(now)
        return limits.frees_at(self._uses(), now)

    def next_change(self, now: float, day: str, midnight: float, limits: Limits) -> float | None:
        """The earliest time at which `available` exceeds 0, if nothing is returned or reserved before:
        `now` when it does already, else not before `midnight`, the start of the next local day, if the
        day is used up. None when it never will (a limit of 0 in the rolling window)."""
        self._forget(now, day, limits)
        earliest = now
        if limits.left_today(self.used_on(day)) == 0:
            earliest = midnight
        rolling = self.rolling_frees_at(now, limits)
        return None if rolling is None else max(earliest, rolling)

    def in_window(self, now: float, window: float) -> int:
        """What counts of the last `window` seconds."""
        return sum(units for last_use, units in self._uses() if last_use + window > now)

    def _uses(self) -> Iterator[tuple[float, int]]:
        yield from self._closed
        for reservation in self._open.values():
            yield reservation.until, reservation.n

    def _forget(self, now: float, day: str, limits: Limits) -> None:
        """Drops what can matter no more: days before yesterday, uses out of every window."""
        if limits.window > self._window:
            raise ValueError(f"folded for windows of at most {self._window} s, asked for {limits.window} s")
        yesterday = (date.fromisoformat(day) - timedelta(1)).isoformat()
        self._leave_out_the_future(now)
        while self._closed and self._closed[0][0] + self._window <= now:
            heapq.heappop(self._closed)
        if len(self._closed) > _MANY:
            self._coalesce()
        if any(other < yesterday for other in self._used):
            self._used = {other: used for other, used in self._used.items() if other >= yesterday}
            self._open = {
                version: reservation
                for version, reservation in self._open.items()
                if reservation.day >= yesterday or reservation.until + self._window > now
            }

    def _leave_out_the_future(self, now: float) -> None:
        """What was used, by a clock that was set back since, later than now was used by now; what is reserved
        is not to be used for longer than any reservation."""
        if self._furthest <= now + AHEAD:
            return
        self._furthest = now + AHEAD
        for reservation in self._open.values():
            reservation.until = min(reservation.until, now + AHEAD)
        self._closed = [(min(last_use, now + CLOCKS_DIFFER), units) for last_use, units in self._closed]
        heapq.heapify(self._closed)

    def _coalesce(self) -> None:
        """Counts uses that ended close together until the last of them: bounded memory for a little
        patience (a thousandth of the window), never an overshoot."""
        cell = self._window / (_MANY / 4)
        cells: dict[float, tuple[float, int]] = {}
        for last_use, units in self._closed:
            latest, sum_of_units = cells.get(last_use // cell, (last_use, 0))
            cells[last_use // cell] = max(latest, last_use), sum_of_units + units
        self._closed = sorted(cells.values())


def is_out_of_reach(event: object, now: float, day: str, window: float) -> bool:
    """Whether a capacity stream that is read backwards may stop here: neither this reservation nor
    any older one counts on the local date `day` or in a rolling window of `window` seconds."""
    return isinstance(event, Reserved) and event.day < day and event.until + window + LONGEST_VALIDITY <= now
