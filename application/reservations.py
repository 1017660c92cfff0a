"""Reservations: the units of capacity that this processor may spend, server by server.

A reservation is an append at an expected version to the server's capacity stream, so the limits
hold for any number of processors. What is reserved is spent within seconds or returned.

Times are epoch seconds by the clock that counts for all. Since nobody knows it exactly, who asks what is
free says the earliest that it can be, who spends or returns a unit the latest.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from application.reservation import Reservation
from domain.calendar import Hours
from domain.capacity.capacity import CLOCKS_DIFFER, Capacity, Limits, Reserved, Returned, is_out_of_reach
from domain.streams import capacity_stream
from storage.log.committer import Committer, Conflict
from storage.postgres.pool import Pool

VALID_SECONDS = 10.0
"""How long a reservation may be spent. A short rolling window shortens it: see `_valid_seconds`."""

PAGE = 500

NEWEST_FIRST = """
    SELECT version, topic, state
    FROM events WHERE stream_id = %s AND version < %s ORDER BY version DESC LIMIT %s
"""

SINCE = """
    SELECT seen.server, e.version, e.topic, e.state
    FROM unnest(%s::integer[], %s::uuid[], %s::integer[]) AS seen (server, stream_id, version)
    JOIN events e ON e.stream_id = seen.stream_id AND e.version > seen.version
    ORDER BY seen.server, e.version
"""


@dataclass
class _Account:
    capacity: Capacity
    window: float
    open: deque[Reservation] = field(default_factory=deque)


class Reservations:
    """Thread-safe: planned in one thread, spent in another."""

    def __init__(self, pool: Pool, committer: Committer, actor: str) -> None:
        self._pool = pool
        self._committer = committer
        self._actor = actor
        self._accounts: dict[int, _Account] = {}
        self._read_at = 0.0
        self._lock = threading.Lock()

    def refresh(self, servers: Mapping[int, Limits], day: str, now: float) -> None:
        """Reads what the capacity streams have that is not known here yet, and after the clock was set back
        what was forgotten too early."""
        was_set_back = now < self._read_at - CLOCKS_DIFFER
        self._read_at = now
        with self._pool.transaction() as cursor:
            for server, limits in servers.items():
                account = self._accounts.get(server)
                if account is None:
                    capacity = _read_back(cursor, server, limits.window, day, now)
                    self._accounts[server] = _Account(capacity, limits.window)
                elif account.window < limits.window or was_set_back:
                    window = max(account.window, limits.window)
                    account.capacity = _read_back(cursor, server, window, day, now)
                    account.window = window
            self._read_on(cursor)

    def _read_on(self, cursor: Any) -> None:
        servers = list(self._accounts)
        cursor.execute(
            SINCE,
            (
                servers,
                [str(capacity_stream(server)) for server in servers],
                [self._accounts[server].capacity.version for server in servers],
            ),
        )
        for server, version, topic, state in cursor.fetchall():
            fact = _fact(server, version, topic, bytes(state))
            with self._lock:
                self._accounts[server].capacity.apply(version, fact)

    def available(self, server: int, limits: Limits, day: str, now: float) -> int | None:
        """What the log leaves to reserve, plus what is reserved here and not yet spent. None: unlimited."""
        account = self._accounts[server]
        free = account.capacity.available(now, day, limits)
        return None if free is None else free + self.unspent(server, limits, now)

    def unspent(self, server: int, limits: Limits, now: float) -> int:
        with self._lock:
            account = self._accounts.get(server)
            return sum(r.unspent(now) for r in account.open if r.is_allowed(limits)) if account else 0

    def reserve(self, wanted: Mapping[int, int], limits: Mapping[int, Limits], calendar: Hours,
                now: datetime) -> None:  # fmt: skip
        """Reserves up to so many units a server, in one shared commit; grants less where less is left.

        A conflict means that another processor reserved meanwhile: it is left for the next round.
        """
        moment, day = now.timestamp(), calendar.local_date(now).isoformat()
        midnight = calendar.midnight_after(now).timestamp()
        facts: dict[int, Reserved] = {}
        for server, units in wanted.items():
            free = self._accounts[server].capacity.available(moment, day, limits[server])
            granted = units if free is None else min(units, free)
            if granted > 0:
                until = min(moment + _valid_seconds(limits[server]), midnight)
                facts[server] = self._reserved(server, granted, day, until)

        def reserved(server: int) -> None:
            fact, account = facts[server], self._accounts[server]
            account.capacity.apply(fact.originator_version, fact)
            account.open.append(
                Reservation(fact.originator_version, fact.n, fact.until, moment, limits[server])
            )

        self._append(facts, reserved)

    def _reserved(self, server: int, units: int, day: str, until: float) -> Reserved:
        return Reserved(
            originator_id=capacity_stream(server),
            originator_version=self._accounts[server].capacity.version + 1,
            by=self._actor,
            n=units,
            day=day,
            until=until,
        )

    def used_on(self, server: int, day: str) -> int:
        return self._accounts[server].capacity.used_on(day)

    def next_change(self, limits: Mapping[int, Limits], calendar: Hours, now: datetime) -> float | None:
        """When one of these servers can take more again (epoch seconds), None when that is not known."""
        moment, day = now.timestamp(), calendar.local_date(now).isoformat()
        midnight = calendar.midnight_after(now).timestamp()
        changes = [
            account.capacity.next_change(moment, day, midnight, limits[server])
            for server, account in list(self._accounts.items())
            # One that got a longer window and has not been used since is not read that far back yet.
            if server in limits and limits[server].window <= account.window
        ]
        return min((change for change in changes if change is not None and change > moment), default=None)

    def take(self, server: int, limits: Limits, now: float) -> Reservation | None:
        """One unit to start an attempt with while it `may_be_spent`."""
        with self._lock:
            account = self._accounts.get(server)
            for reservation in account.open if account else ():
                if reservation.used < reservation.n and reservation.may_be_spent(limits, now):
                    reservation.used += 1
                    return reservation
        return None

    def give_back(self, reservation: Reservation) -> None:
        """The attempt was not recorded: the unit is as if never taken."""
        with self._lock:
            reservation.used -= 1

    def ended(self, reservation: Reservation, *, refused: bool) -> None:
        """An attempt ended; `refused` when it certainly ended before the final dot."""
        with self._lock:
            reservation.ended += 1
            reservation.refused += refused

    def untouched(self, reservation: Reservation) -> None:
        """An attempt ended before anything was written to the server: its unit comes back to both limits."""
        with self._lock:
            reservation.ended += 1
            reservation.untouched += 1

    def settle(self, limits: Mapping[int, Limits], now: float) -> None:
        """Closes reservations that are spent, past their time or beyond a limit that was lowered, and returns
        what was not used."""
        facts: dict[int, Returned] = {}
        for server, account in self._accounts.items():
            over = self._first_over(account, limits.get(server), now)
            if over is not None:
                facts[server] = Returned(
                    originator_id=capacity_stream(server),
                    originator_version=account.capacity.version + 1,
                    by=self._actor,
                    reservation=over.version,
                    at=min(now, over.until),
                    unused=over.n - over.used + over.untouched,
                    refused=over.refused,
                )

        def returned(server: int) -> None:
            fact, account = facts[server], self._accounts[server]
            account.capacity.apply(fact.originator_version, fact)
            account.open = deque(r for r in account.open if r.version != fact.reservation)

        self._append(facts, returned)

    def close(self, now: float) -> None:
        """Returns whatever is not used; only after the last attempt has ended. A reservation that an attempt
        without an end names stays open, for those who close that attempt. Raises Fenced."""
        with self._lock:
            for account in self._accounts.values():
                for reservation in account.open:
                    reservation.until = min(reservation.until, now)
        while any(r.is_over(now) for account in self._accounts.values() for r in account.open):
            with self._pool.transaction() as cursor:
                self._read_on(cursor)
            self.settle({}, now)

    def _first_over(self, account: _Account, limits: Limits | None, now: float) -> Reservation | None:
        """Wholly used ones leave without an event, unless a rolling limit gains by knowing when."""
        is_rolling = limits is not None and limits.sliding is not None
        with self._lock:
            for reservation in list(account.open):
                is_idle = reservation.ended == reservation.used
                is_too_much = limits is not None and not reservation.is_allowed(limits)
                if not (reservation.is_over(now) or (is_idle and is_too_much)):
                    continue
                if (
                    is_rolling
                    or reservation.used - reservation.untouched < reservation.n
                    or reservation.refused
                ):
                    return reservation
                account.open.remove(reservation)
        return None

    def _append(self, facts: Mapping[int, Reserved | Returned], written: Callable[[int], None]) -> None:
        """Calls `written` for each server whose fact is in the log now, whatever became of the others; a
        conflict is no error."""
        waits = {
            server: self._committer.promise([fact.stored()], notify=False) for server, fact in facts.items()
        }
        failure: Exception | None = None
        for server, wait in waits.items():
            try:
                wait.result()
            except Conflict:
                continue
            except Exception as error:  # noqa: BLE001
                failure = error
                continue
            with self._lock:
                written(server)
        if failure is not None:
            raise failure


def _valid_seconds(limits: Limits) -> float:
    """A tenth of a rolling window at most: until then its units count as if used at the last moment."""
    return VALID_SECONDS if limits.sliding is None else max(1.0, min(VALID_SECONDS, limits.window / 10))


def _read_back(cursor: Any, server: int, window: float, day: str, now: float) -> Capacity:
    """Reads the stream newest first, no further than the rolling window, the day, and the day before reach:
    a change of the time zone can bring yesterday back."""
    day = (date.fromisoformat(day) - timedelta(1)).isoformat()
    facts: list[tuple[int, Reserved | Returned]] = []
    before, is_within = 2**31 - 1, True
    while is_within:
        cursor.execute(NEWEST_FIRST, (str(capacity_stream(server)), before, PAGE))
        page = [(version, _fact(server, version, topic, bytes(state))) for version, topic, state in cursor]
        facts.extend(page)
        is_within = len(page) == PAGE and not any(is_out_of_reach(fact, now, day, window) for _, fact in page)
        before = page[-1][0] if page else before
    capacity = Capacity(window)
    for version, fact in reversed(facts):
        capacity.apply(version, fact)
    return capacity


def _fact(server: int, version: int, topic: str, state: bytes) -> Reserved | Returned:
    kind = Reserved if topic == Reserved.TOPIC else Returned
    return kind(originator_id=capacity_stream(server), originator_version=version, **json.loads(state))
