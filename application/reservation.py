"""A reservation in the hands of whoever spends it."""

from __future__ import annotations

from dataclasses import dataclass

from domain.capacity.capacity import CLOCKS_DIFFER, Limits

TRANSIT_SECONDS = 1.0
"""What a MAIL FROM may take from the last check here to the server, which counts by its own clock: so long
before a reservation's `until` no attempt starts any more, or a quarter of its time where that is less."""


@dataclass
class Reservation:
    """`used` units were given to attempts; `ended` of these ended, `refused` of these before the dot, and
    `untouched` ones before the server was given anything."""

    version: int
    n: int
    until: float
    reserved_at: float
    limits: Limits = Limits()  # noqa: RUF009
    used: int = 0
    ended: int = 0
    refused: int = 0
    untouched: int = 0

    @property
    def usable_until(self) -> float:
        return self.until - min(TRANSIT_SECONDS, (self.until - self.reserved_at) / 4)

    def may_be_spent(self, limits: Limits, now: float) -> bool:
        """Whether an attempt may start on it: neither is its time over, or not come since the clock was set
        back, nor was a limit lowered meanwhile."""
        is_in_time = self.reserved_at - CLOCKS_DIFFER <= now < self.usable_until
        return is_in_time and self.is_allowed(limits)

    def is_allowed(self, limits: Limits) -> bool:
        return limits is self.limits or limits.allow(self.limits)

    def unspent(self, now: float) -> int:
        """What can still be counted on: nothing in the last quarter of its time."""
        return self.n - self.used if now < self.until - (self.until - self.reserved_at) / 4 else 0

    def is_over(self, now: float) -> bool:
        is_past = now >= self.until or now < self.reserved_at - CLOCKS_DIFFER
        return self.ended == self.used and (self.used == self.n or is_past)
