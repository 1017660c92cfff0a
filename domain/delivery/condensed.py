"""Many waits told as few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from domain.delivery.waiting import Waiting
from domain.delivery.waits import Wait

MOST_WAITS = 40
SHORT = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 86_400)
"""Seconds; of too many waits, those that are no longer are told with others."""


def condensed(found: Sequence[Wait]) -> list[Wait]:
    """At most MOST_WAITS of them. Short ones that follow one another become one, by the reason that there was
    for most of the time; what is short still is told with the one before."""
    told = list(found)
    for seconds in SHORT:
        if len(told) <= MOST_WAITS:
            break
        told = _joined(_runs(told, timedelta(seconds=seconds)), timedelta(seconds=seconds))
    return told[:MOST_WAITS]


def _runs(found: Sequence[Wait], short: timedelta) -> list[list[Wait]]:
    runs: list[list[Wait]] = []
    for wait in found:
        before = runs[-1][-1] if runs else None
        if before and before.until == wait.since and before.lasted <= short and wait.lasted <= short:
            runs[-1].append(wait)
        else:
            runs.append([wait])
    return runs


def _joined(runs: Sequence[Sequence[Wait]], short: timedelta) -> list[Wait]:
    joined: list[Wait] = []
    for wait in map(_as_one, runs):
        before = joined[-1] if joined else None
        if before and before.until == wait.since and (before.is_like(wait) or wait.lasted <= short):
            on_and_off = before.on_and_off or wait.on_and_off or not before.is_like(wait)
            joined[-1] = replace(before, until=wait.until, on_and_off=on_and_off)
        else:
            joined.append(wait)
    return joined


def _as_one(run: Sequence[Wait]) -> Wait:
    if len(run) == 1:
        return run[0]
    lasted: dict[Waiting, timedelta] = defaultdict(timedelta)
    for wait in run:
        lasted[replace(wait.waiting, until=None)] += wait.lasted
    waiting = max(lasted, key=lambda one: lasted[one])
    likely = next(wait for wait in run if replace(wait.waiting, until=None) == waiting)
    return replace(likely, since=run[0].since, until=run[-1].until, on_and_off=True)
