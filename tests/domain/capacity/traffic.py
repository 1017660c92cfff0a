"""Processors that reserve, use, return and die at random."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

from hypothesis import strategies as st

from domain.capacity.capacity import Capacity, Limits
from tests.domain.capacity.facts import reserved, returned

DAY_LENGTH = 100.0  # a short day, so that traffic crosses midnight often


def day_at(now: float) -> str:
    return (date(2026, 1, 1) + timedelta(int(now // DAY_LENGTH))).isoformat()


@dataclass
class Held:
    """A reservation in the hands of a processor."""

    version: int
    n: int
    day: str
    until: float
    attempts: list[float] = field(default_factory=list)
    refused: int = 0


class Traffic:
    """Processors that reserve all they are given, use it whenever they may, return it or die."""

    def __init__(self, limits: Limits, seed: int) -> None:
        self.limits = limits
        self.chance = random.Random(seed)
        self.capacity = Capacity(limits.window)
        self.now = 0.0
        self.held: list[Held] = []
        self.attempts: list[float] = []
        self.per_day: Counter[str] = Counter()

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self.chance.choice([0.0, 0.1, 1.0, self.limits.window / 3, 7.0])
            self.chance.choice([self.reserve, self.reserve, self.use, self.use, self.give_back])()

    def reserve(self) -> None:
        day = day_at(self.now)
        free = self.capacity.available(self.now, day, self.limits)
        n = 5 if free is None else free
        if n and self.chance.random() < 0.3:
            n = self.chance.randint(1, n)
        midnight = (self.now // DAY_LENGTH + 1) * DAY_LENGTH
        until = min(self.now + self.chance.choice([0.5, 3.0, 10.0]), midnight)
        if n:
            version = self.capacity.version + 1
            self.capacity.apply(version, reserved(version, n, day, until))
            self.held.append(Held(version, n, day, until))

    def use(self) -> None:
        usable = [held for held in self.held if self.now <= held.until and len(held.attempts) < held.n]
        if usable:
            held = self.chance.choice(usable)
            for _ in range(self.chance.randint(1, held.n - len(held.attempts))):
                held.attempts.append(self.now)
                self.attempts.append(self.now)
                if self.chance.random() < 0.2:
                    held.refused += 1
                else:
                    self.per_day[held.day] += 1

    def give_back(self) -> None:
        if self.held and self.chance.random() < 0.9:
            held = self.held.pop(self.chance.randrange(len(self.held)))
            version = self.capacity.version + 1
            unused = held.n - len(held.attempts)
            self.capacity.apply(version, returned(version, held.version, self.now, unused, held.refused))

    def most_in_any_stretch(self) -> int:
        window, attempts = self.limits.window, sorted(self.attempts)
        return max((sum(start <= at < start + window for at in attempts) for start in attempts), default=0)


limits = st.builds(
    Limits,
    st.sampled_from([0, 3, 20]),
    st.none() | st.tuples(st.integers(1, 12), st.sampled_from([0.5, 1.0, 8.0, 30.0, 250.0])),
)
