"""What a delivery waited for and when, from the log alone. Who reads on: domain.delivery.waits asks
domain.delivery.waiting of each moment, and that domain.server.availability of each server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from eventsourcing.persistence import StoredEvent

from application.installation import Installation
from application.queue.past_capacity import LoggedCapacity
from domain.calendar import Calendar
from domain.campaign.campaign import Campaign
from domain.campaign.priority import rank_of
from domain.capacity.past import PastCapacity
from domain.clock import instant
from domain.delivery.condensed import condensed
from domain.delivery.in_line import Sent, by_what_was_sent
from domain.delivery.waits import Past, Wait, spans, waits
from domain.fact import Fact, Happened
from domain.policy import PolicyChanged, SendingPolicy
from domain.server.availability import Reason
from domain.streams import campaign_stream, policy_stream, server_stream
from projections import servers
from storage.log import moments
from storage.log.feed import Recorded

MOST_CHANGES = 20_000
"""Events of the campaign, of servers and of the policy that are read."""

MOST_RESERVATIONS = 100_000
"""Events of capacity that are read one by one, of all servers together."""

MOST_SUMMED_UP = 100_000
"""Events of capacity that the database sums up, of all servers together."""

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
    """`known_until` is None when all is known; after it too much happened to be read. Without any waits, that
    was so from the beginning."""

    waits: Sequence[Wait]
    known_until: datetime | None = None

    @property
    def not_told(self) -> str | None:
        """What is not told here, in words."""
        if self.known_until is None:
            return None
        after = f" after {instant(self.known_until)}" if self.waits else ""
        return f"Too much happened meanwhile to tell what it waited for{after}."

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
            "waitsNotTold": self.not_told,
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
        changes = self._changes(campaign, queued[-1].until)
        unread = changes[-1].at if len(changes) == MOST_CHANGES else None
        if unread is not None:
            queued = [span._replace(until=min(span.until, unread)) for span in queued]
        capacity = LoggedCapacity(self.cursor, _calendars(changes), MOST_SUMMED_UP)
        past = Past(PastCapacity(capacity, most or MOST_RESERVATIONS))
        told = waits(queued, changes, past)
        patience = max(LEAST_PATIENCE, timedelta(seconds=2 * past.policy.poll_interval))
        found = condensed(self._in_line(told.waits, campaign, patience))
        known_until = told.known_until or unread
        end = known_until or now
        found = [wait for wait in found if wait.until == end or not wait.goes_without_saying]
        return WaitHistory(waits=found, known_until=known_until and max(known_until, queued[0].since))

    def _event(self, event: Recorded) -> object:
        stored = StoredEvent(event.stream, event.version, event.topic, event.state.encode())
        return self.installation.application.mapper.to_domain_event(stored)

    def _changes(self, campaign: int, until: datetime) -> list[Happened]:
        numbers = servers.numbers(self.cursor)
        streams = [policy_stream(), campaign_stream(campaign), *map(server_stream, numbers)]
        found = moments.of_streams(self.cursor, streams, until, MOST_CHANGES)
        return [Happened(event.recorded_at, self._event(event)) for event in found]

    def _in_line(self, found: list[Wait], campaign: int, patience: timedelta) -> list[Wait]:
        in_line = [wait for wait in found if wait.waiting.reason is Reason.NEXT_IN_LINE]
        in_line.sort(key=lambda wait: wait.since - wait.until)
        longest = {wait.since for wait in in_line[:MOST_LOOKED_INTO]}
        told: list[Wait] = []
        for wait in found:
            if wait.since in longest:
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
        (version,) = moments.versions_before(self.cursor, [(stream, at)])
        found: Campaign = self.installation.application.repository.get(stream, version=version)
        return rank_of(found.priority)


def _calendars(changes: Iterable[Happened]) -> list[tuple[datetime, Calendar]]:
    """From when on each held."""
    policy = SendingPolicy()
    found = [(datetime.min.replace(tzinfo=UTC), policy.calendar)]
    for at, event in changes:
        if isinstance(event, PolicyChanged):
            policy = policy.apply(event)
            if policy.timezone != found[-1][1].timezone:
                found.append((at, policy.calendar))
    return found
