"""How many people campaigns go to, remembered for a while by one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from storage.audience import size
from storage.audience.size import Sample

KEPT_AT_LEAST = timedelta(seconds=5)
SAMPLE_KEPT_AT_LEAST = timedelta(minutes=2)
PATIENCE = 300
COUNTED = 50_000
"""Subscriptions of several lists that are few enough to count whose they are."""

Known = TypeVar("Known")


class Audience(NamedTuple):
    people: int
    is_exact: bool


class Audiences:
    """How many people the lists of a campaign have. A number is kept for a while, the longer the longer it
    took to get. Several lists that are large together are not counted, but reckoned from a sample."""

    def __init__(self) -> None:
        self._sizes: _Kept[dict[int, int]] = _Kept()
        self._sample: _Kept[Sample] = _Kept(SAMPLE_KEPT_AT_LEAST)
        self._counted: dict[tuple[int, ...], _Kept[int]] = {}

    def size(self, cursor: Any, lists: Sequence[int], now: datetime) -> int:
        return self.audience(cursor, lists, now).people

    def audience(self, cursor: Any, lists: Sequence[int], now: datetime) -> Audience:
        key = tuple(sorted(set(lists)))
        sizes = self._sizes.get(now, lambda: size.of_each_list(cursor))
        together = sum(sizes.get(one, 0) for one in key)
        if len(key) == 1 or not together:
            return Audience(together, is_exact=True)
        if together <= COUNTED:
            self._counted = {known: kept for known, kept in self._counted.items() if now < kept.until}
            kept = self._counted.setdefault(key, _Kept())
            return Audience(kept.get(now, lambda: size.audience_size(cursor, key)), is_exact=True)
        sample = self._sample.get(now, lambda: size.sample(cursor))
        return Audience(size.about(sizes, key, sample), is_exact=False)


class _Kept(Generic[Known]):
    def __init__(self, at_least: timedelta = KEPT_AT_LEAST) -> None:
        self._at_least = at_least
        self._since = self.until = datetime.max.replace(tzinfo=UTC)
        self._value: Known | None = None

    def get(self, now: datetime, read: Callable[[], Known]) -> Known:
        if self._value is None or not self._since <= now < self.until:
            began = time.monotonic()
            self._value = read()
            took = timedelta(seconds=time.monotonic() - began)
            self._since, self.until = now, now + max(self._at_least, took * PATIENCE)
        return self._value
