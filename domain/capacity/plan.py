"""Which delivery goes through which server, and in which order deliveries get their turn.

Pure and deterministic: the same function serves sending, the forecast and the simulation.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby
from typing import Any, NamedTuple

from domain.campaign.priority import rank_of


class Strategy(StrEnum):
    MOST_REMAINING = "most_remaining"
    WEIGHTED_ROUND_ROBIN = "weighted_round_robin"


class Candidate(NamedTuple):
    """A delivery that is due. `server` is the only one it may go through (direct sending), `avoid`
    the one that its last transient failure was on, `unfit` those that cannot take it; `key` is the
    caller's own and comes back."""

    campaign: int
    recipient: int
    server: int | None = None
    avoid: int | None = None
    unfit: frozenset[int] = frozenset()
    key: Any = None


class Offer(NamedTuple):
    """A server that is available. `remaining` is None when unlimited, `limit` the most that `remaining`
    can be (a smaller one counts as `remaining`), `slots` how many it may be handed now."""

    server: int
    remaining: int | None
    limit: int
    used_today: int
    slots: int


class Assignment(NamedTuple):
    """`remaining` is what the choice was made by: the server's capacity before this delivery, None
    when there were only unlimited servers."""

    candidate: Candidate
    server: int
    remaining: int | None


class Batch(NamedTuple):
    """Due deliveries of one campaign, oldest first."""

    campaign: int
    priority: str
    candidates: Sequence[Candidate]


def interleave(batches: Iterable[Batch], after: int = 0) -> Iterator[Candidate]:
    """High before normal before low; campaigns of one priority take turns, one delivery each,
    beginning with the first whose number is above `after` (the one that was served last)."""

    def by_priority(batch: Batch) -> int:
        return rank_of(batch.priority)

    def by_turn(batch: Batch) -> tuple[int, bool, int]:
        return by_priority(batch), batch.campaign <= after, batch.campaign

    for _, peers in groupby(sorted(batches, key=by_turn), key=by_priority):
        turns = [iter(batch.candidates) for batch in peers]
        while turns:
            still_waiting = []
            for turn in turns:
                for candidate in turn:
                    yield candidate
                    still_waiting.append(turn)
                    break
            turns = still_waiting


def plan(
    deliveries: Iterable[Candidate],
    servers: Iterable[Offer],
    strategy: str = Strategy.MOST_REMAINING,
    state: dict[int, int] | None = None,
) -> list[Assignment]:
    """Assigns deliveries in the given order; one that no server can take is left out.

    `state` is the memory of the weighted round robin from one round to the next (server -> current
    weight), changed in place.
    """
    chosen: _MostRemaining | _WeightedRoundRobin
    if strategy == Strategy.WEIGHTED_ROUND_ROBIN:
        chosen = _WeightedRoundRobin(servers, {} if state is None else state)
    else:
        chosen = _MostRemaining(servers)
    assignments = []
    for candidate in deliveries:
        if candidate.server is not None:
            taken = chosen.take(candidate.server)
        elif candidate.unfit:
            taken = chosen.take_fit(candidate.unfit, candidate.avoid)
        else:
            taken = chosen.take_best(candidate.avoid)
        if taken is not None:
            assignments.append(Assignment(candidate, *taken))
        elif chosen.is_exhausted():
            break
    return assignments


class _ServerLoad:
    """What one server can still take in this round. `weight` is its remaining capacity as the choice
    sees it: an unlimited server's counts as no more than the largest limited one's limit."""

    __slots__ = ("floor", "left", "number", "shown", "taken", "weight")

    def __init__(self, offer: Offer, weight: int, floor: int | None, shown: bool) -> None:
        self.number = offer.server
        self.left = offer.slots if offer.remaining is None else min(offer.slots, offer.remaining)
        self.weight = weight
        self.floor = floor
        self.shown = shown
        self.taken = 0

    def use_one(self) -> tuple[int, int | None]:
        before = self.weight
        self.left -= 1
        self.taken += 1
        if before != self.floor:
            self.weight = before - 1
        return self.number, before if self.shown else None


def _loads(offers: Iterable[Offer]) -> list[_ServerLoad]:
    offers = list(offers)
    limits = [max(offer.limit, offer.remaining) for offer in offers if offer.remaining is not None]
    loads = []
    for offer in offers:
        if offer.remaining is not None:
            load = _ServerLoad(offer, offer.remaining, None, True)
        elif limits:
            load = _ServerLoad(offer, max(0, max(limits) - offer.used_today), 0, True)
        else:
            load = _ServerLoad(offer, -offer.used_today, None, False)
        if load.left > 0:
            loads.append(load)
    return loads


class _MostRemaining:
    """The greatest remaining capacity first; of equals the one that got fewest in this round, then
    the lowest number. A heap entry is out of date when its server has taken something since."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._loads = {load.number: load for load in _loads(offers)}
        self._heap = [(-load.weight, 0, load.number) for load in self._loads.values()]
        heapq.heapify(self._heap)

    def is_exhausted(self) -> bool:
        return not self._loads

    def take(self, server: int) -> tuple[int, int | None] | None:
        load = self._loads.get(server)
        if load is None:
            return None
        taken = load.use_one()
        if load.left:
            heapq.heappush(self._heap, (-load.weight, load.taken, server))
        else:
            del self._loads[server]
        return taken

    def take_best(self, avoid: int | None) -> tuple[int, int | None] | None:
        load = self._best()
        if load is None:
            return None
        if load.number != avoid:
            return self._take_top(load)
        avoided = heapq.heappop(self._heap)
        other = self._best()
        taken = None if other is None else self._take_top(other)
        heapq.heappush(self._heap, avoided)
        return taken or self._take_top(load)

    def take_fit(self, unfit: frozenset[int], avoid: int | None) -> tuple[int, int | None] | None:
        fit = [load for number, load in self._loads.items() if number not in unfit]
        if not fit:
            return None
        best = min(fit, key=lambda load: (load.number == avoid, -load.weight, load.taken, load.number))
        return self.take(best.number)

    def _best(self) -> _ServerLoad | None:
        heap, loads = self._heap, self._loads
        while heap:
            _, taken, number = heap[0]
            load = loads.get(number)
            if load is not None and load.taken == taken:
                return load
            heapq.heappop(heap)
        return None

    def _take_top(self, load: _ServerLoad) -> tuple[int, int | None]:
        taken = load.use_one()
        if load.left:
            heapq.heapreplace(self._heap, (-load.weight, load.taken, load.number))
        else:
            heapq.heappop(self._heap)
            del self._loads[load.number]
        return taken


class _WeightedRoundRobin:
    """Smooth weighted round robin as nginx has it, weighted by the remaining capacity at the start of
    the round: every server gains its weight, the greatest is chosen and pays the sum."""

    def __init__(self, offers: Iterable[Offer], current: dict[int, int]) -> None:
        loads = sorted(_loads(offers), key=lambda load: load.number)
        self._loads = {load.number: load for load in loads}
        self._weights = {load.number: max(1, load.weight) for load in loads}
        self._current = current
        for gone in current.keys() - self._loads.keys():
            del current[gone]

    def is_exhausted(self) -> bool:
        return not self._loads

    def take(self, server: int) -> tuple[int, int | None] | None:
        load = self._loads.get(server)
        if load is None:
            return None
        taken = load.use_one()
        if not load.left:
            del self._loads[server]
            self._current.pop(server, None)
        return taken

    def take_best(self, avoid: int | None) -> tuple[int, int | None] | None:
        return self.take_fit(frozenset(), avoid)

    def take_fit(self, unfit: frozenset[int], avoid: int | None) -> tuple[int, int | None] | None:
        fit = [number for number in self._loads if number not in unfit]
        eligible = [number for number in fit if number != avoid] or fit
        if not eligible:
            return None
        current, weights = self._current, self._weights
        best, most, total = eligible[0], None, 0
        for number in eligible:
            weight = weights[number]
            total += weight
            standing = current[number] = current.get(number, 0) + weight
            if most is None or standing > most:
                best, most = number, standing
        current[best] -= total
        return self.take(best)
