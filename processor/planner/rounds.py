"""A planning round: from the projections and the capacity streams to sends, capacity reserved.

The same round serves the dispatcher and the simulation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from application.reservations import Reservations
from domain.capacity.plan import Assignment, Batch, Candidate, Offer, interleave, plan
from domain.clock import Clock
from domain.streams import campaign_of, delivery_stream, number_of
from mail.message.compose import MessageRecipient
from processor.planner.planned_deliveries import PlannedDeliveries
from processor.planner.provocations import provocations
from processor.planner.send import PoolCapacity, Send
from processor.send_permissions import SendPermissions, View
from projections.queue import queue
from projections.queue.queue import Due
from storage import transactional
from storage.people import directory
from storage.postgres.pool import Pool
from storage.transactional import Addressed

CURSOR_LIFE = 5.0
"""Seconds after which the search for due deliveries starts again from the oldest: until then it goes
on from where it was, past the index entries of what was sent a moment ago."""


LEAST_EACH = 100
"""Of many campaigns of one priority each is looked into this far at least, else twice its share."""

FIRST_ATTEMPTS = """
    SELECT DISTINCT ON (stream_id) stream_id, (convert_from(state, 'UTF8')::jsonb->>'server')::integer,
           convert_from(state, 'UTF8')::jsonb->>'id_domain'
    FROM events WHERE stream_id = ANY (%s::uuid[]) AND topic = 'delivery.attempt_started'
    ORDER BY stream_id, version
"""


class _Found(NamedTuple):
    """Due deliveries of a campaign, and where the search for them began."""

    batch: Batch
    after: tuple[datetime, int] | None


class Rounds:
    def __init__(
        self,
        pool: Pool,
        permissions: SendPermissions,
        reservations: Reservations,
        planned: PlannedDeliveries,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._permissions = permissions
        self._reservations = reservations
        self._planned = planned
        self._clock = clock
        self._weights: dict[int, int] = {}
        self._last_campaign = 0
        self._after: dict[int, tuple[datetime, int]] = {}
        self._restart_at = 0.0
        self.share = (0, 1)
        """(rank, of): this processor plans the recipients whose number modulo `of` is `rank`."""
        self.planned_at = clock.now()
        """What time the last round took it to be: what comes later, it did not see."""

    def plan(self, capacities: Mapping[int, PoolCapacity]) -> list[Send]:
        """Chooses a server for as many due deliveries as the connections take, and reserves the capacity.
        Nothing while nobody knows what time it is."""
        if not self._clock.is_trusted():
            return []
        now = self.planned_at = datetime.fromtimestamp(self._clock.earliest(), UTC)
        view = self._permissions.view
        capacities = {
            server: capacity
            for server, capacity in capacities.items()
            if view.is_open(server, now.timestamp())
        }
        limits = {server: view.limits[server] for server in capacities}
        self._reservations.refresh(limits, view.calendar.local_date(now).isoformat(), now.timestamp())
        # By a clock read after the attempts that it finds ended: they count until then.
        self._reservations.settle(limits, self._clock.latest())
        offers = self._offers(capacities, view, now)
        total = min(sum(offer.slots for offer in offers), view.policy.batch)
        if not total:
            return []
        found = self._search(total, {offer.server for offer in offers}, now)
        candidates = interleave([each.batch for each in found], self._last_campaign)
        assignments = plan(candidates, offers, view.policy.strategy, self._weights)
        if assignments:
            self._last_campaign = assignments[-1].candidate.campaign
        self._go_on_from(found, assignments)
        self._reserve(assignments, capacities, view, now)
        return self._sends(assignments)

    def next_due(self) -> datetime | None:
        """When there is more to send than in the last round, if nothing else changes."""
        with self._pool.transaction() as cursor:
            return queue.next_due_after(cursor, self.planned_at)

    def _offers(self, capacities: Mapping[int, PoolCapacity], view: View, now: datetime) -> list[Offer]:
        moment, day = now.timestamp(), view.calendar.local_date(now).isoformat()
        offers = []
        for server, capacity in capacities.items():
            limits = view.limits[server]
            free = self._reservations.available(server, limits, day, moment)
            left = None if free is None else max(0, free - capacity.planned)
            slots = capacity.free if left is None else min(capacity.free, left)
            if slots > 0:
                used = self._reservations.used_on(server, day)
                offers.append(
                    Offer(server=server, remaining=left, limit=limits.daily, used_today=used, slots=slots)
                )
        return offers

    def _search(self, total: int, servers: set[int], now: datetime) -> list[_Found]:
        if self._clock.steady() >= self._restart_at:
            self._after.clear()
            self._restart_at = self._clock.steady() + CURSOR_LIFE
        for campaign in self._planned.campaigns_released():
            self._after.pop(campaign, None)
        with self._pool.transaction() as cursor:
            works = [w for w in queue.campaigns_with_work(cursor) if w.server is None or w.server in servers]
            self._permissions.track([work.campaign for work in works], now)
            works = [work for work in works if work.campaign in self._permissions.view.campaigns]
            peers = Counter(work.priority for work in works)
            found = []
            for work in works:
                limit = min(total, max(LEAST_EACH, 2 * total // peers[work.priority]))
                after = self._after.get(work.campaign)
                rows = self._due(cursor, work.campaign, limit, now)
                candidates = [self._candidate(row, work.server) for row in rows]
                found.append(_Found(Batch(work.campaign, work.priority, candidates), after))
        return found

    def _candidate(self, row: Due, direct: int | None) -> Candidate:
        return Candidate(
            campaign=row.campaign,
            recipient=row.recipient,
            server=direct,
            avoid=row.server,
            unfit=self._planned.unfit((row.campaign, row.recipient)),
            key=row,
        )

    def _go_on_from(self, found: list[_Found], assignments: list[Assignment]) -> None:
        """What was found and got no server is found again in the next round, before what is behind it."""
        assigned = {(a.candidate.campaign, a.candidate.recipient) for a in assignments}
        for (campaign, _, candidates), after in found:
            before = after
            for candidate in candidates:
                if (campaign, candidate.recipient) not in assigned and not candidate.unfit:
                    self._continue(campaign, before)
                    break
                before = (candidate.key.due, candidate.recipient)

    def _continue(self, campaign: int, after: tuple[datetime, int] | None) -> None:
        if after is None:
            self._after.pop(campaign, None)
        else:
            self._after[campaign] = after

    def _due(self, cursor: Any, campaign: int, limit: int, now: datetime) -> list[Due]:
        fresh: list[Due] = []
        while len(fresh) < limit:
            rows = queue.due(cursor, campaign, now, limit, self._after.get(campaign), self.share)
            fresh.extend(row for row in rows if (row.campaign, row.recipient) not in self._planned)
            if len(rows) < limit:
                self._after.pop(campaign, None)
                break
            self._after[campaign] = (rows[-1].due, rows[-1].recipient)
        return fresh[:limit]

    def _reserve(
        self, assignments: list[Assignment], capacities: Mapping[int, PoolCapacity], view: View, now: datetime
    ) -> None:
        counts: dict[int, int] = {}
        for assignment in assignments:
            counts[assignment.server] = counts.get(assignment.server, 0) + 1
        wanted = {
            server: count
            + capacities[server].planned
            - self._reservations.unspent(server, view.limits[server], now.timestamp())
            for server, count in counts.items()
        }
        wanted = {server: units for server, units in wanted.items() if units > 0}
        self._reservations.reserve(wanted, view.limits, view.calendar, now)

    def _sends(self, assignments: list[Assignment]) -> list[Send]:
        read_at = self._permissions.about_to_read()
        by_campaign: dict[int, list[int]] = {}
        for a in assignments:
            by_campaign.setdefault(a.candidate.campaign, []).append(a.candidate.recipient)
        people: dict[tuple[int, int], Addressed] = {}
        with self._pool.transaction() as cursor:
            for campaign, numbers in by_campaign.items():
                for one in self._mailable(cursor, campaign, numbers):
                    people[campaign, one.addressee.number] = one
            rows = [a.candidate.key for a in assignments]
            domains, provoked = self._id_domains(cursor, rows), provocations(cursor, rows)
        sends = []
        for a in assignments:
            key = (a.candidate.campaign, a.candidate.recipient)
            self._planned.take(key)
            sends.append(_send(a, people[key], domains.get(key), read_at, provoked.get(key, 0)))
        return sends

    def _mailable(self, cursor: Any, campaign: int, numbers: list[int]) -> list[Addressed]:
        if self._permissions.is_transactional(campaign):
            return transactional.mailable(cursor, campaign, numbers)
        people = directory.mailable(cursor, self._permissions.lists(campaign), numbers)
        return [Addressed(person, person.number) for person in people]

    def _id_domains(self, cursor: Any, rows: list[Due]) -> dict[tuple[int, int], str | None]:
        """For what was attempted before: the domain that the first attempt gave its Message-ID."""
        streams = [str(delivery_stream(row.campaign, row.recipient)) for row in rows if row.version > 0]
        if not streams:
            return {}
        cursor.execute(FIRST_ATTEMPTS, (streams,))
        servers = self._permissions.view.servers
        return {
            (campaign_of(UUID(str(stream))), number_of(UUID(str(stream)))): named
            or servers[server].first_domain
            for stream, server, named in cursor.fetchall()
        }


def _send(
    assignment: Assignment, told: Addressed, id_domain: str | None, read_at: int, provoked: int
) -> Send:
    row: Due = assignment.candidate.key
    person = told.addressee
    return Send(
        campaign=row.campaign,
        recipient=row.recipient,
        version=row.version,
        attempts=row.attempts,
        first_failed_at=row.first_failed_at.timestamp() if row.first_failed_at else None,
        server=assignment.server,
        remaining=assignment.remaining,
        person=MessageRecipient(
            number=person.number,
            uuid=person.uuid or "",
            email=person.email or "",
            name=person.name,
            attributes=person.attributes,
            particulars=told.particulars,
        ),
        not_mailable=person.reason,
        id_domain=id_domain,
        read_at=read_at,
        listed_as=told.person,
        interruptions=row.interruptions,
        provoked=provoked,
    )
