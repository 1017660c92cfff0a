"""Time over which the same servers are open: what they take of it, and when they have taken so many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from domain.capacity.allocation import shares
from domain.capacity.plan import Offer
from domain.forecast.throughput import ThroughputModel

_TENTH = 0.1


class OpenInterval:
    """From `start` to `end`, in epoch seconds. `taken` is what was placed on each server so far."""

    def __init__(self, models: Mapping[int, ThroughputModel], start: float, end: float) -> None:
        self.start = start
        self.end = end
        self._models = models
        self.throughputs = {server: model.throughput(start, end) for server, model in models.items()}
        self.taken = dict.fromkeys(models, 0)

    def remaining(self, server: int) -> int:
        return self.throughputs[server].units - self.taken[server] if server in self.throughputs else 0

    def all_remaining(self) -> int:
        return sum(throughput.units for throughput in self.throughputs.values()) - sum(self.taken.values())

    def time_for(self, units: int) -> float:
        """When the servers can have taken so many on top of what was placed on them."""
        return self._when(lambda end: self._free(end) >= units)

    def time_of(self, part: Mapping[int, int]) -> float:
        """When each of these servers can have taken all that was placed on it."""
        servers = [server for server, n in part.items() if n]
        return self._when(
            lambda end: all(self._units(server, end) >= self.taken[server] for server in servers)
        )

    def choose(self, units: int, end: float, strategy: str) -> dict[int, int]:
        """Server -> how many of `units` it gets, when all have gone out by `end`."""
        if units >= self.all_remaining():
            return {server: self.remaining(server) for server in self._models}
        offers = []
        for server, model in self._models.items():
            taken, left = self.taken[server], model.left_today
            offers.append(
                Offer(
                    server=server,
                    remaining=None if left is None else left - taken,
                    limit=model.daily_limit,
                    used_today=model.used_today + taken,
                    slots=max(0, self._units(server, end) - taken),
                )
            )
        return shares(offers, units, strategy, self.taken)

    def _units(self, server: int, end: float) -> int:
        return self._models[server].throughput(self.start, end).units

    def _free(self, end: float) -> int:
        return sum(max(0, self._units(server, end) - taken) for server, taken in self.taken.items())

    def _when(self, is_enough: Callable[[float], bool]) -> float:
        """The earliest end of which that is true, to a tenth of a second; `self.end` at the latest."""
        low, high = self.start, self.end
        while high - low > _TENTH:
            middle = (low + high) / 2
            if is_enough(middle):
                high = middle
            else:
                low = middle
        return high


def by_turns(wanted: Sequence[int], capacity: int) -> list[int]:
    """What each gets when all take one after the other, until the capacity or what is wanted is used up."""
    low, high = 0, max(wanted, default=0)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(units, middle) for units in wanted) <= capacity:
            low = middle
        else:
            high = middle - 1
    given = [min(units, low) for units in wanted]
    rest = capacity - sum(given)
    for place, units in enumerate(wanted):
        if rest > 0 and units > low:
            given[place] += 1
            rest -= 1
    return given


def split(chosen: Mapping[int, int], given: Sequence[int]) -> list[dict[int, int]]:
    """Each one's part of what the servers take together, in proportion."""
    if len(given) == 1:
        return [dict(chosen)]
    parts: list[dict[int, int]] = [{} for _ in given]
    before, total = 0, sum(given)
    reached = dict.fromkeys(chosen, 0)
    for part, units in zip(parts, given, strict=True):
        if not units:
            continue
        before += units
        part.update(_cut(chosen, reached, before, total, units))
    return parts


def _cut(
    chosen: Mapping[int, int], reached: dict[int, int], before: int, total: int, units: int
) -> dict[int, int]:
    """The part up to `before` of `total`, rounded so that it comes to `units`."""
    part: dict[int, int] = {}
    remainders = []
    short = units
    for server, n in chosen.items():
        whole, remainder = divmod(n * before, total)
        n = whole - reached[server]
        part[server] = n = n if n > 0 else 0
        remainders.append((-remainder, server))
        short -= n
    if short > 0:
        for _, server in sorted(remainders):
            if short > 0 and reached[server] + part[server] < chosen[server]:
                part[server] += 1
                short -= 1
    elif short < 0:  # where earlier parts were rounded up
        for _, server in sorted(remainders, reverse=True):
            back = min(part[server], -short)
            part[server] -= back
            short += back
    for server, n in part.items():
        reached[server] += n
    return part
