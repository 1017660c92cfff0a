"""The capacity of servers at moments of the past, summed up by the database, so that of all that was
reserved before a wait began only what still counted is read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import inf
from typing import Any
from uuid import UUID

from domain.calendar import Calendar
from domain.capacity.capacity import Capacity, CapacityState, Limits, Reserved, Returned
from domain.capacity.past import TooMuchHappened, day_began, reaches_back
from domain.fact import Happened
from domain.streams import capacity_stream, number_of
from projections.rolling_usage import LAST_USE, UNITS
from storage.log import moments

MOST_OF_ONE = 50_000
"""Events of one server that are summed up at once."""

NO_DAY = "9999-12-31"
"""After every day."""

STATES = f"""
    WITH counted AS MATERIALIZED (
        SELECT a.server, a.day AS today, a.since,
               CASE WHEN e.topic = 'capacity.reserved' THEN e.version ELSE s.reservation END AS reservation,
               max(s.n) AS n, max(s.day) AS day, max(s.until) AS until, max(s.at) AS returned_at,
               coalesce(max(s.unused), 0) AS unused, coalesce(max(s.refused), 0) AS refused
        FROM unnest(%(servers)s::integer[], %(streams)s::uuid[], %(after)s::integer[], %(upto)s::integer[],
                    %(days)s::text[], %(since)s::float8[]) AS a (server, stream, after, upto, day, since)
        JOIN events e ON e.stream_id = a.stream AND e.version > a.after AND e.version <= a.upto
        CROSS JOIN LATERAL jsonb_to_record(convert_from(e.state, 'UTF8')::jsonb) AS s (
            n integer, day text, until float8, reservation integer, at float8, unused integer,
            refused integer)
        GROUP BY 1, 2, 3, 4
        HAVING max(s.n) IS NOT NULL
    )
    SELECT server, 'used', NULL::integer, sum(n - unused - refused)::integer, day, NULL::float8
    FROM counted WHERE day >= today GROUP BY server, day
    UNION ALL
    SELECT server, 'closed', NULL, {UNITS}, NULL, {LAST_USE}
    FROM counted r WHERE returned_at IS NOT NULL AND {UNITS} > 0 AND {LAST_USE} > since
    UNION ALL
    SELECT server, 'open', reservation, n, day, until
    FROM counted WHERE returned_at IS NULL AND (day >= today OR until > since)
"""  # noqa: S608 - of constants


@dataclass
class LoggedCapacity:
    """`calendars` are those of the policy, from when on each held; `left` is how many events may still be
    summed up."""

    cursor: Any
    calendars: Sequence[tuple[datetime, Calendar]]
    left: int

    def capacities(self, wanted: Mapping[int, Limits], at: datetime) -> dict[int, Capacity]:
        stretches = self._stretches(wanted, at)
        since = [at.timestamp() - limits.window if limits.sliding else inf for limits in wanted.values()]
        day = self._day(at).isoformat()
        asked = {
            "servers": list(wanted),
            "streams": [str(capacity_stream(server)) for server in wanted],
            "after": [after for after, _ in stretches],
            "upto": [upto for _, upto in stretches],
            "days": [day if limits.daily else NO_DAY for limits in wanted.values()],
            "since": since,
        }
        self.cursor.execute(STATES, asked)
        found: dict[int, list[Any]] = defaultdict(list)
        for server, *row in self.cursor.fetchall():
            found[server].append(row)
        return {
            server: Capacity.of(_state(upto, found[server]), limits.window)
            for (server, limits), (_, upto) in zip(wanted.items(), stretches, strict=True)
        }

    def following(self, versions: Mapping[int, int], most: int) -> dict[int, list[Happened]]:
        after = {capacity_stream(server): version for server, version in versions.items()}
        found = moments.of_each(self.cursor, after, most)
        return {number_of(stream): _facts(stream, events) for stream, events in found.items()}

    def _stretches(self, wanted: Mapping[int, Limits], at: datetime) -> list[tuple[int, int]]:
        """Of each server's stream the versions after which, and up to which, something may count. Raises
        TooMuchHappened."""
        began = day_began(self.calendars, self._day(at))
        streams = [capacity_stream(server) for server in wanted]
        reaches = [reaches_back(limits, began, at) for limits in wanted.values()]
        found = moments.versions_before(
            self.cursor, [*zip(streams, reaches, strict=True), *((stream, at) for stream in streams)]
        )
        stretches = list(zip(found[: len(streams)], found[len(streams) :], strict=True))
        lengths = [upto - after for after, upto in stretches]
        self.left -= sum(lengths)
        if self.left < 0 or max(lengths) > MOST_OF_ONE:
            raise TooMuchHappened
        return stretches

    def _day(self, at: datetime) -> date:
        calendar = next(calendar for since, calendar in reversed(self.calendars) if since <= at)
        return calendar.local_date(at)


def _state(version: int, rows: Sequence[Any]) -> CapacityState:
    used: dict[str, int] = {}
    closed: list[tuple[float, int]] = []
    opened: dict[int, tuple[int, str, float]] = {}
    for kind, reservation, units, day, moment in rows:
        match kind:
            case "used":
                used[day] = units
            case "closed":
                closed.append((moment, units))
            case "open":
                opened[reservation] = units, day, moment
    return CapacityState(version=version, used=used, closed=closed, open=opened)


def _facts(stream: UUID, events: Sequence[tuple[datetime, int, str, str]]) -> list[Happened]:
    """There are many of them, which the library's mapper would take long to read."""
    states = json.loads(f"[{','.join(state for _, _, _, state in events)}]")
    found = []
    for (at, version, topic, _), state in zip(events, states, strict=True):
        kind = Reserved if topic == Reserved.TOPIC else Returned
        found.append(Happened(at, kind(originator_id=stream, originator_version=version, **state)))
    return found
