"""What a delivery waited for and when, from the log alone. Who reads on: domain.delivery.waits asks
domain.delivery.waiting of each moment, and that domain.server.availability of each server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from application.installation import Installation
from domain.campaign.campaign import Campaign
from domain.campaign.priority import rank_of
from domain.capacity.capacity import LONGEST_VALIDITY, Reserved, Returned
from domain.clock import instant
from domain.delivery.waits import (
    Happened,
    Past,
    Sent,
    Span,
    Wait,
    by_what_was_sent,
    condensed,
    spans,
    waits,
)
from domain.fact import Fact
from domain.server.availability import Reason
from domain.server.server import SmtpServer
from domain.streams import campaign_stream, capacity_stream, number_of, policy_stream, server_stream
from projections import servers
from storage.log import moments
from storage.log.feed import Recorded

MOST_CHANGES = 20_000
"""Events of the campaign, of servers and of the policy that are read."""

MOST_RESERVATIONS = 20_000
"""Events of capacity that are read, of all servers together."""

LONGEST_DAY = timedelta(hours=26)

MOST_SENT = 200_000
"""Events that are looked through for what was sent meanwhile, in one wait."""

MOST_LOOKED_INTO = 20
"""Waits in line that are looked into; the longest ones."""

LEAST_PATIENCE = timedelta(seconds=10)

# By the second: attempts, and of which campaign; none for what else only processors write.
SENT = """
    SELECT min(recorded_at), max(recorded_at), campaign FROM (
        SELECT recorded_at, CASE WHEN topic = 'delivery.attempt_started'
                                 THEN ('x' || left(stream_id::text, 8))::bit(32)::bigint END AS campaign
        FROM events
        WHERE position > %(after)s AND position <= %(upto)s
          AND topic IN ('delivery.attempt_started', 'delivery.accepted', 'delivery.deferred',
                        'capacity.reserved', 'capacity.returned')
    ) AS sent
    GROUP BY date_trunc('second', recorded_at), campaign ORDER BY 1
"""


@dataclass(frozen=True, kw_only=True)
class WaitHistory:
    """`known_until` is None when all is known; after it too much happened to be read."""

    waits: Sequence[Wait]
    known_until: datetime | None = None

    def fields(self) -> dict[str, Any]:
        """For programs: the API's names, and values that JSON has."""
        return {
            "waits": [
                {
                    "since": instant(wait.since),
                    "until": instant(wait.until),
                    "code": wait.waiting.code,
                    "reason": wait.waiting.text,
                    "onAndOff": wait.on_and_off,
                }
                for wait in self.waits
            ],
            "waitsKnownUntil": instant(self.known_until),
        }


@dataclass(frozen=True)
class Waits:
    """Reads what decided about one delivery."""

    installation: Installation
    cursor: Any

    def of(
        self, campaign: int, queued_at: datetime, own: Sequence[Recorded], most: int | None = None
    ) -> WaitHistory:
        """`own` are the events of the delivery's stream, in order; `most` is how many events of capacity are
        read, MOST_RESERVATIONS when it is None."""
        now = self.installation.clock.now()
        facts = [(event.recorded_at, cast(Fact, self._event(event))) for event in own]
        queued = list(spans(queued_at, facts, now))
        if not queued:
            return WaitHistory(waits=[])
        numbers = servers.numbers(self.cursor)
        changes = self._changes(campaign, numbers, queued[-1].until)
        windows = _windows(changes)
        reserved, known_until = self._reserved(windows, queued, most or MOST_RESERVATIONS)
        if len(changes) == MOST_CHANGES:
            known_until = min(changes[-1].at, known_until or changes[-1].at)
        if known_until is not None:
            queued = [span._replace(until=min(span.until, known_until)) for span in queued]
        past = Past(windows)
        found = waits(queued, sorted([*changes, *reserved], key=lambda one: one.at), past)
        patience = max(LEAST_PATIENCE, timedelta(seconds=2 * past.policy.poll_interval))
        return WaitHistory(waits=condensed(self._in_line(found, campaign, patience)), known_until=known_until)

    def _event(self, event: Recorded) -> object:
        stored = StoredEvent(event.stream, event.version, event.topic, event.state.encode())
        return self.installation.application.mapper.to_domain_event(stored)

    def _changes(self, campaign: int, numbers: Sequence[int], until: datetime) -> list[Happened]:
        streams = [policy_stream(), campaign_stream(campaign), *map(server_stream, numbers)]
        found = moments.of_streams(self.cursor, streams, until, MOST_CHANGES)
        return [Happened(event.recorded_at, self._event(event)) for event in found]

    def _reserved(
        self, windows: dict[int, float], queued: Sequence[Span], most: int
    ) -> tuple[list[Happened], datetime | None]:
        """As far back as a day or a rolling window reaches, and until when all of it was read."""
        back = LONGEST_DAY + timedelta(seconds=max(windows.values(), default=0.0) + LONGEST_VALIDITY)
        streams = [capacity_stream(number) for number in windows]
        after = moments.versions_before(self.cursor, streams, queued[0].since - back)
        each, until = most // max(1, len(streams)), queued[-1].until
        found: list[Happened] = []
        known_until: datetime | None = None
        for stream, events in moments.of_each(self.cursor, after, until, each).items():
            found += _capacity_facts(stream, events)
            if len(events) == each:
                last = events[-1][0]
                known_until = min(last, known_until or last)
        return found, known_until

    def _in_line(self, found: list[Wait], campaign: int, patience: timedelta) -> list[Wait]:
        in_line = [wait for wait in found if wait.waiting.reason is Reason.NEXT_IN_LINE]
        longest = sorted(in_line, key=lambda wait: wait.since - wait.until)[:MOST_LOOKED_INTO]
        told: list[Wait] = []
        for wait in found:
            if wait in longest:
                told += by_what_was_sent(wait, self._sent(wait, campaign), patience)
            else:
                told.append(wait)
        return told

    def _sent(self, wait: Wait, campaign: int) -> list[Sent]:
        after = moments.position_before(self.cursor, wait.since)
        upto = moments.position_before(self.cursor, wait.until)
        if upto - after > MOST_SENT:
            return [Sent(wait.since, wait.until, False)]
        self.cursor.execute(SENT, {"after": after, "upto": upto})
        rows = self.cursor.fetchall()
        rank = self._rank(campaign, wait.until)
        numbers = {number for _, _, number in rows if number is not None}
        is_higher = {number: self._rank(number, wait.until) < rank for number in numbers}
        return [Sent(since, until, is_higher.get(number)) for since, until, number in rows]

    def _rank(self, campaign: int, at: datetime) -> int:
        """0 is the highest priority."""
        stream = campaign_stream(campaign)
        version = moments.versions_before(self.cursor, [stream], at)[stream]
        found: Campaign = self.installation.application.repository.get(stream, version=version)
        return rank_of(found.priority)


def _capacity_facts(stream: UUID, events: Sequence[tuple[datetime, int, str, str]]) -> Iterator[Happened]:
    """There are many of them, which the library's mapper would take long to read."""
    states = json.loads(f"[{','.join(state for _, _, _, state in events)}]")
    for (at, version, topic, _), state in zip(events, states, strict=True):
        kind = Reserved if topic == Reserved.TOPIC else Returned
        yield Happened(at, kind(originator_id=stream, originator_version=version, **state))


def _windows(changes: Iterable[Happened]) -> dict[int, float]:
    """Of each server that had a limit at some time: the longest rolling window, 0 for none."""
    found: dict[int, float] = {}
    known: dict[int, SmtpServer | None] = {}
    for _, event in changes:
        if isinstance(event, SmtpServer.Created | SmtpServer.Event):
            number = number_of(event.originator_id)
            server = known[number] = event.mutate(known.get(number))
            limits = server.limits() if server is not None else None
            if limits is not None and (limits.daily or limits.sliding):
                found[number] = max(found.get(number, 0.0), limits.window)
    return found
