"""What a delivery waited for while it was next in line, by what was written meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.delivery.waiting import HIGHER_PRIORITY, Waiting
from domain.delivery.waits import Wait, add_wait
from domain.server.availability import Reason

NO_PROCESSOR = Waiting(Reason.NO_PROCESSOR, detail="the log shows nothing of one")


class Sent(NamedTuple):
    """That a processor wrote something from `since` to `until`: attempts, `is_higher` when they were of a
    campaign of higher priority, or anything else (None)."""

    since: datetime
    until: datetime
    is_higher: bool | None


def by_what_was_sent(wait: Wait, sent: Iterable[Sent], patience: timedelta) -> list[Wait]:
    """What a delivery that was next in line waited for indeed: attempts of campaigns of higher priority, or a
    processor, where the log shows nothing of one for longer than `patience`."""
    found: list[Wait] = []

    def tell(since: datetime, until: datetime, waiting: Waiting) -> datetime:
        if since < until:
            add_wait(found, Wait(since=since, until=until, waiting=waiting))
        return max(since, until)

    told = active = wait.since
    for one in sorted(sent, key=lambda one: one.since):
        if one.since - active > patience:
            told = tell(tell(told, active, wait.waiting), one.since, NO_PROCESSOR)
        active = min(max(active, one.until), wait.until)
        if one.is_higher is not None:
            told = tell(told, active, HIGHER_PRIORITY if one.is_higher else wait.waiting)
    if wait.until - active > patience:
        told = tell(told, active, wait.waiting)
        tell(told, wait.until, NO_PROCESSOR)
    else:
        tell(told, wait.until, wait.waiting)
    return found
