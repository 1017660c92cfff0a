"""How many e-mails one server lets through over an interval of time, by its limits and its speed.

Instants are seconds since the epoch. Demand is taken to be endless within an interval; what was really
taken of it is told afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

_HAIR = 1e-6
"""Seconds by which rounding may make an interval too short for its last e-mail."""


class Bound(StrEnum):
    """What keeps a server from taking more."""

    DAILY = "daily"
    ROLLING = "rolling"
    SPEED = "speed"


class Throughput(NamedTuple):
    units: int
    bound: Bound


class _SentPieces(NamedTuple):
    """What was sent from `start` on: `units`, as the `pieces` (start, units) let them through."""

    start: float
    units: int
    pieces: list[tuple[float, int]]


class ThroughputModel:
    """`daily_limit` 0 is unlimited; `rolling` is (N, W): at most N in any W seconds; `uses` are what of N
    is taken at the beginning: (when the last of them was sent, how many). `rate` is in e-mails a second.

    Under a rolling limit an e-mail goes out as soon as one that was sent W seconds ago has left the
    window, so from the second W on everything repeats: no interval takes longer to reckon than one W.
    """

    def __init__(
        self,
        daily_limit: int,
        used_today: int,
        rolling: tuple[int, float] | None,
        uses: Sequence[tuple[float, int]],
        rate: float,
    ) -> None:
        self.daily_limit = daily_limit
        self.used_today = used_today
        self._rate = rate
        self._rolling = None if rolling is None or rolling[0] >= rate * rolling[1] else rolling
        self._uses = sorted(uses)
        self._last: _SentPieces | None = None
        self._pieces: list[tuple[float, int]] = []
        self._pieces_from: float | None = None

    @property
    def left_today(self) -> int | None:
        return max(0, self.daily_limit - self.used_today) if self.daily_limit else None

    def begin_day(self) -> None:
        self.used_today = 0

    def throughput(self, start: float, end: float) -> Throughput:
        """How many can go out from `start` until `end`, when nothing else has since `start`."""
        left = self.left_today
        if left == 0:
            return Throughput(0, Bound.DAILY)
        units, bound = int(self._rate * (end - start + _HAIR)), Bound.SPEED
        if self._rolling is not None:
            rolling = self._through_window(start, end)
            if rolling < units:
                units, bound = rolling, Bound.ROLLING
        if left is not None and left <= units:
            units, bound = left, Bound.DAILY
        return Throughput(units, bound)

    def take(self, start: float, units: int) -> None:
        """So many went out from `start` on, as early as they could."""
        self.used_today += units
        if self._rolling is not None and units:
            self._last = _SentPieces(start, units, self._pieces_at(start))
            self._pieces_from = None

    def _through_window(self, start: float, end: float) -> int:
        assert self._rolling is not None
        window, units, rate = self._rolling[1], 0.0, self._rate
        for begin, n in self._pieces_at(start):
            if begin < end:
                rounds, rest = divmod(end - begin + _HAIR, window)
                sent = rate * rest
                units += rounds * n + (sent if sent < n else n)
        return int(units)

    def _pieces_at(self, start: float) -> list[tuple[float, int]]:
        """What may go out in the first W seconds from `start`: (from when, how many)."""
        assert self._rolling is not None
        if self._pieces_from != start:
            self._settle(start)
            most, window = self._rolling
            counted = [(at, units) for at, units in self._uses if at + window > start]
            free = max(0, most - sum(units for _, units in counted))
            freed, pieces, clear = [(start, free)], [], start
            freed += [(at + window, units) for at, units in counted]
            for begin, units in freed:
                if units:
                    begin = max(begin, clear)
                    pieces.append((begin, units))
                    clear = begin + units / self._rate
            self._pieces, self._pieces_from = pieces, start
        return self._pieces

    def _settle(self, now: float) -> None:
        """Works out which uses the last interval left in the window, once somebody wants to know."""
        assert self._rolling is not None
        last, window = self._last, self._rolling[1]
        if last is None:
            return
        stop = self._stop(last, window)
        uses: list[tuple[float, int]] = []
        for begin, units in last.pieces if stop + window > now else ():
            rounds = (stop - begin) // window
            latest = begin + rounds * window
            sent = max(0, min(units, round(self._rate * (stop - latest)))) if rounds >= 0 else 0
            uses.append((latest if rounds >= 0 else begin - window, sent or units))
            if 0 < sent < units:
                uses.append((latest - window + sent / self._rate, units - sent))
        self._uses, self._last = sorted(uses), None

    def _stop(self, last: _SentPieces, window: float) -> float:
        """When the last one of them went out."""
        rounds, rest = divmod(last.units - 1, sum(units for _, units in last.pieces))
        rest += 1
        for begin, units in last.pieces:
            if rest <= units:
                return begin + rounds * window + rest / self._rate
            rest -= units
        raise AssertionError("a round has as many units as its pieces")
