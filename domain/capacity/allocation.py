"""How many deliveries each server gets in one planning round, without choosing for one after the other.

`shares(offers, n)` is what counting the assignments of `plan` for `n` deliveries that may go
through any server comes to: exactly for the greatest remaining capacity first; for the weighted round robin
within about as many as there are servers. It takes as long for a million deliveries as for ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.capacity.plan import Offer, Strategy


@dataclass(slots=True)
class _Vessel:
    """`weight` sinks by one with each delivery; `left` is how many it can still take."""

    server: int
    weight: int
    left: int
    taken: int

    def take(self, units: int) -> None:
        self.weight -= units
        self.left -= units
        self.taken += units


def shares(
    offers: Iterable[Offer],
    n: int,
    strategy: str = Strategy.MOST_REMAINING,
    before: Mapping[int, int] | None = None,
) -> dict[int, int]:
    """Server -> how many of `n` deliveries it gets; servers that get none are left out. `before` is what
    they got earlier in the same round: of equals the one that got fewest comes first."""
    offers, before = list(offers), before or {}
    floor = 0 if any(offer.remaining is not None for offer in offers) else None
    vessels = _vessels(offers, n, before)
    n = min(n, sum(vessel.left for vessel in vessels))
    if strategy == Strategy.WEIGHTED_ROUND_ROBIN:
        _fill_in_proportion(vessels, n)
    else:
        _fill_from_above(vessels, n, floor)
    got = {vessel.server: vessel.taken - before.get(vessel.server, 0) for vessel in vessels}
    return {server: units for server, units in got.items() if units}


def _vessels(offers: Sequence[Offer], n: int, before: Mapping[int, int]) -> list[_Vessel]:
    """An unlimited server's weight is at most the largest limited one's limit, as in the plan."""
    limits = [max(offer.limit, offer.remaining) for offer in offers if offer.remaining is not None]
    vessels = []
    for offer in offers:
        left = min(n, offer.slots if offer.remaining is None else min(offer.slots, offer.remaining))
        if offer.remaining is not None:
            weight = offer.remaining
        else:
            weight = max(0, max(limits) - offer.used_today) if limits else -offer.used_today
        if left > 0:
            vessels.append(_Vessel(offer.server, weight, left, before.get(offer.server, 0)))
    return vessels


def _fill_from_above(vessels: list[_Vessel], n: int, floor: int | None) -> None:
    """The greatest weight first, down to one common level; at the floor, where an unlimited server's
    weight stays, the one that got fewest first."""
    n -= _sink(vessels, n, floor)
    if n and floor is not None:
        at_floor = [vessel for vessel in vessels if vessel.left and vessel.weight <= floor]
        _raise(at_floor, n)


def _sink(vessels: list[_Vessel], n: int, floor: int | None) -> int:
    """How many of `n` it places above the floor."""
    highest = max((vessel.weight for vessel in vessels), default=0)
    lowest = floor if floor is not None else min((v.weight for v in vessels), default=0) - n
    low, high = lowest, max(highest, lowest)
    while low < high:
        middle = (low + high) // 2
        if sum(min(v.left, max(0, v.weight - middle)) for v in vessels) <= n:
            high = middle
        else:
            low = middle + 1
    placed = 0
    for vessel in vessels:
        units = min(vessel.left, max(0, vessel.weight - high))
        vessel.take(units)
        placed += units
    if high > lowest:
        on_level = [vessel for vessel in vessels if vessel.left and vessel.weight == high]
        placed += _one_each(on_level, n - placed)
    return placed


def _raise(vessels: list[_Vessel], n: int) -> None:
    low, high = 0, max((vessel.taken for vessel in vessels), default=0) + n
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(v.left, max(0, middle - v.taken)) for v in vessels) <= n:
            low = middle
        else:
            high = middle - 1
    for vessel in vessels:
        units = min(vessel.left, max(0, low - vessel.taken))
        vessel.take(units)
        n -= units
    _one_each([vessel for vessel in vessels if vessel.left and vessel.taken == low], n)


def _one_each(vessels: list[_Vessel], n: int) -> int:
    chosen = sorted(vessels, key=lambda vessel: (vessel.taken, vessel.server))[:n]
    for vessel in chosen:
        vessel.take(1)
    return len(chosen)


def _fill_in_proportion(vessels: list[_Vessel], n: int) -> None:
    """In proportion to the weights; what is full drops out, and the others share the rest."""
    weights = {vessel.server: max(1, vessel.weight) for vessel in vessels}
    open_ones = sorted(vessels, key=lambda vessel: (vessel.left / weights[vessel.server], vessel.server))
    total = sum(weights.values())
    for place, vessel in enumerate(open_ones):
        weight = weights[vessel.server]
        if vessel.left * total > n * weight:
            _apportion(open_ones[place:], weights, n, total)
            return
        total -= weight
        n -= vessel.left
        vessel.take(vessel.left)


def _apportion(vessels: list[_Vessel], weights: dict[int, int], n: int, total: int) -> None:
    """The largest remainders get what rounding leaves."""
    remainders = []
    left = n
    for vessel in vessels:
        units, remainder = divmod(n * weights[vessel.server], total)
        vessel.take(units)
        left -= units
        remainders.append((-remainder, vessel.server, vessel))
    for _, _, vessel in sorted(remainders, key=lambda one: one[:2]):
        if left and vessel.left:
            vessel.take(1)
            left -= 1
