"""The capacity of servers in the past, moment by moment, of whichever of them it is asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from domain.calendar import Calendar
from domain.capacity.capacity import LONGEST_VALIDITY, Capacity, Limits
from domain.fact import Fact, Happened

FIRST_PAGE, LARGEST_PAGE = 32, 1024
"""Events that are read on at once: more each time, so that a short wait costs little."""

LEAP = timedelta(hours=1)
"""Who asks for a moment so much later, beyond what is read, has the capacity summed up anew."""


class TooMuchHappened(Exception):
    """What was asked for takes more events than may be read."""


class CapacityLog(Protocol):
    def capacities(self, wanted: Mapping[int, Limits], at: datetime) -> Mapping[int, Capacity]:
        """By server, just before that moment: what counts under these limits, then and later. Raises
        TooMuchHappened."""

    def following(self, versions: Mapping[int, int], most: int) -> Mapping[int, Sequence[Happened]]:
        """What each server's stream has after that version: at most so many events, and fewer only at its
        end."""


def reaches_back(limits: Limits, day_began: datetime, at: datetime) -> datetime:
    """What was recorded before that counts no more at that moment, on a local date that began then."""
    validity = timedelta(seconds=LONGEST_VALIDITY)
    reach = [at]
    if limits.daily:
        reach.append(day_began - validity)
    if limits.sliding:
        reach.append(at - timedelta(seconds=limits.window) - validity)
    return min(reach)


def day_began(calendars: Sequence[tuple[datetime, Calendar]], day: date) -> datetime:
    """When a local date was first told. Each calendar holds from its moment until that of the next: with a
    change of the time zone, a date that is over may come back."""
    ends = [since for since, _ in calendars[1:]]
    began = [
        max(since, calendar.starts(day))
        for (since, calendar), until in zip(calendars, [*ends, None], strict=True)
        if until is None or calendar.starts(day) < until
        if calendar.starts(day + timedelta(1)) > since
    ]
    return min(began, default=calendars[-1][1].starts(day))


@dataclass
class _PastServer:
    """Its capacity at one moment, the events that follow, and how many are to be read next."""

    limits: Limits
    timezone: str
    capacity: Capacity
    at: datetime
    events: deque[Happened]
    page: int = FIRST_PAGE
    is_whole: bool = False

    def covers(self, limits: Limits, timezone: str, at: datetime) -> bool:
        read_until = self.events[-1].at if self.events else self.at
        return (
            timezone == self.timezone
            and limits.window <= self.limits.window
            and bool(self.limits.daily) >= bool(limits.daily)
            and (self.is_whole or at <= max(read_until, self.at + LEAP))
        )

    def add(self, events: Sequence[Happened], asked: int) -> None:
        self.events.extend(events)
        self.is_whole = len(events) < asked
        self.page = min(2 * self.page, LARGEST_PAGE)

    def go(self, at: datetime) -> None:
        self.at = at
        while self.events and self.events[0].at <= at:
            event = self.events.popleft().event
            assert isinstance(event, Fact)
            self.capacity.apply(event.originator_version, event)


class PastCapacity:
    """Reads of the log what it is asked for, and on from there: at most so many events one by one. Moments
    never go back."""

    def __init__(self, log: CapacityLog, most: int) -> None:
        self._log = log
        self._left = most
        self._servers: dict[int, _PastServer] = {}

    def read(self, wanted: Mapping[int, Limits], timezone: str, at: datetime) -> None:
        """To be called before these servers are asked about that moment, for all of them at once. Raises
        TooMuchHappened."""
        new = {
            server: limits
            for server, limits in wanted.items()
            if server not in self._servers or not self._servers[server].covers(limits, timezone, at)
        }
        if not new:
            return
        capacities = self._log.capacities(new, at)
        for server, limits in new.items():
            self._servers[server] = _PastServer(limits, timezone, capacities[server], at, deque())
        self._read_on(list(new))

    def at(self, server: int, at: datetime) -> tuple[Capacity, datetime | None]:
        """With all that was recorded by then, and when the next event was. Raises TooMuchHappened."""
        known = self._servers[server]
        known.go(at)
        while not known.events and not known.is_whole:
            self._read_on([server])
            known.go(at)
        return known.capacity, known.events[0].at if known.events else None

    def _read_on(self, servers: Sequence[int]) -> None:
        most = min(self._servers[servers[0]].page, self._left // len(servers))
        if not most:
            raise TooMuchHappened
        versions = {server: self._servers[server].capacity.version for server in servers}
        following = self._log.following(versions, most)
        for server in servers:
            self._servers[server].add(following[server], most)
            self._left -= len(following[server])
