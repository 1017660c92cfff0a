"""What a delivery waited for: the present's own question, asked of each moment of the past.

The events of campaign, policy, servers and their capacity are applied in the order of the log, and wherever
one of them, or time alone, may change the answer, `why_it_waits` is asked again. Campaigns of higher priority
and missing processors show only in what was written while a delivery was next in line: `by_what_was_sent`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domain.campaign.campaign import Campaign
from domain.campaign.state import State
from domain.capacity.capacity import Capacity, Reserved, Returned
from domain.delivery.delivery import Delivery, Status
from domain.delivery.waiting import HIGHER_PRIORITY, CampaignState, Route, Waiting, why_it_waits
from domain.fact import Fact
from domain.policy import PolicyChanged, SendingPolicy
from domain.server.availability import (
    Closed,
    Open,
    Reason,
    SendingState,
    ServerState,
    availability,
)
from domain.server.server import SmtpServer
from domain.streams import number_of

MOST_WAITS = 40
_SHORT = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 86_400)
"""Seconds; of too many waits, those that are no longer are joined with the one before."""

NO_PROCESSOR = Waiting(Reason.NO_PROCESSOR, detail="the log shows nothing of one")
_NO_STATE = CampaignState(state=State.DRAFT)


class Happened(NamedTuple):
    """An event of the log, and when it was recorded."""

    at: datetime
    event: object


class Span(NamedTuple):
    """In which the delivery was queued; `again` is when it could be attempted next."""

    since: datetime
    until: datetime
    again: datetime


@dataclass(frozen=True, kw_only=True)
class Wait:
    """`on_and_off` when it ended for moments in between."""

    since: datetime
    until: datetime
    waiting: Waiting
    on_and_off: bool = False

    def __str__(self) -> str:
        on_and_off = ", on and off" if self.on_and_off else ""
        return f"{self.waiting.text}{on_and_off}, to {self.until:%Y-%m-%dT%H:%M:%SZ}"

    def is_like(self, other: Wait) -> bool:
        return replace(self.waiting, until=None) == replace(other.waiting, until=None)


def spans(queued_at: datetime, own: Iterable[tuple[datetime, Fact]], now: datetime) -> Iterator[Span]:
    """`own` are the events of the delivery's stream."""
    delivery, since, again = Delivery(), queued_at, queued_at
    for at, fact in own:
        if delivery.status is Status.QUEUED:
            yield Span(since, at, again)
        delivery.apply(fact, at.timestamp())
        since = at
        again = datetime.fromtimestamp(delivery.again, UTC) if delivery.again is not None else at
    if delivery.status is Status.QUEUED:
        yield Span(since, now, again)


def waits(queued: Iterable[Span], happened: Iterable[Happened], past: Past) -> list[Wait]:
    """In order, each until the next reason or the end of the span. Cancelled with its campaign, a delivery
    waits no more."""
    found: list[Wait] = []
    events = deque(happened)
    for span in queued:
        at = span.since
        while at < span.until:
            while events and events[0].at <= at:
                past.apply(events.popleft().event)
            waiting, ends = past.why(at, span.again)
            if waiting.reason is Reason.CAMPAIGN_CANCELLED:
                return found
            changes = [span.until, *([events[0].at] if events else []), *([ends] if ends else [])]
            stop = min(changes)
            _add(found, Wait(since=at, until=stop, waiting=waiting))
            at = stop
    return found


def _add(found: list[Wait], wait: Wait) -> None:
    if found and found[-1].until == wait.since and found[-1].is_like(wait):
        found[-1] = replace(found[-1], until=wait.until)
    else:
        found.append(wait)


class Past:
    """All that decides, as of one moment. `windows` are the longest rolling windows (seconds) that servers
    had."""

    def __init__(self, windows: Mapping[int, float]) -> None:
        self._windows = windows
        self._campaign: Campaign | None = None
        self.policy = SendingPolicy()
        self._servers: dict[int, SmtpServer] = {}
        self._capacities: dict[int, Capacity] = {}
        self._answers: dict[int, Open | Closed] = {}
        self._opens: tuple[datetime | None, datetime | None] | None = None
        self._known_open = 0

    def apply(self, event: object) -> None:
        match event:
            case PolicyChanged():
                self.policy = self.policy.apply(event)
                self._answers.clear()
                self._opens = None
            case Campaign.Created() | Campaign.Event():
                self._campaign = event.mutate(self._campaign)
            case SmtpServer.Created() | SmtpServer.Event():
                number = number_of(event.originator_id)
                server = event.mutate(self._servers.get(number))
                assert server is not None
                self._servers[number] = server
                self._answers.pop(number, None)
            case Reserved() | Returned():
                number = number_of(event.originator_id)
                if number not in self._capacities:
                    self._capacities[number] = Capacity(self._windows.get(number, 0.0))
                self._capacities[number].apply(event.originator_version, event)
                self._answers.pop(number, None)

    def why(self, at: datetime, again: datetime) -> tuple[Waiting, datetime | None]:
        """And when that may change without an event."""
        opens, changes = self._calendar(at)
        waiting, ends = self._asked(at, again, opens, ()), [again, changes]
        if waiting.reason is Reason.NO_SERVER:
            routes = self._routes(at)
            waiting = self._asked(at, again, opens, routes)
            ends += [route.answer.until for route in routes]
        return waiting, min((end for end in ends if end is not None and end > at), default=None)

    def _asked(
        self, at: datetime, again: datetime, opens: datetime | None, routes: Sequence[Route]
    ) -> Waiting:
        sending = SendingState(queue_paused=self.policy.queue_paused)
        state = self._campaign_state()
        return why_it_waits(state, now=at, again=again, opens=opens, routes=routes, sending=sending)

    def _calendar(self, at: datetime) -> tuple[datetime | None, datetime | None]:
        """When it opens, and when that changes."""
        if self._opens is None or (self._opens[1] is not None and self._opens[1] <= at):
            opens = self.policy.calendar.opens_at(at)
            is_open = opens is not None and opens <= at
            self._opens = opens, self.policy.calendar.closes_at(at) if is_open else opens
        return self._opens

    def _routes(self, at: datetime) -> list[Route]:
        """One that is open, which is enough; else all that the campaign may go through, each closed. The one
        that was open last is asked first, so that what others do costs nothing."""
        only = self._campaign.messenger if self._campaign else None
        closed = []
        for number in sorted(self._servers, key=lambda number: number != self._known_open):
            if only in (None, number):
                route = Route(
                    server=number, name=self._servers[number].settings.name, answer=self._answer(number, at)
                )
                if isinstance(route.answer, Open):
                    self._known_open = number
                    return [route]
                closed.append(route)
        return closed

    def _answer(self, number: int, at: datetime) -> Open | Closed:
        known = self._answers.get(number)
        if known is None or (known.until is not None and known.until <= at):
            known = self._answers[number] = availability(self._state(number, at), at)
        return known

    def _state(self, number: int, at: datetime) -> ServerState:
        server, capacity = self._servers[number], self._capacities.get(number)
        state, limits = server.state(self.policy), server.limits()
        if capacity is None:
            return state
        now, day = at.timestamp(), self.policy.calendar.local_date(at).isoformat()
        capacity.available(now, day, limits)
        in_window = capacity.in_window(now, limits.window) if limits.sliding else 0
        frees = capacity.rolling_frees_at(now, limits) if limits.left_in_window(in_window) == 0 else None
        return replace(
            state,
            limits=limits,
            used_today=capacity.used_on(day),
            in_window=in_window,
            rolling_frees=None if frees is None else datetime.fromtimestamp(frees, UTC),
        )

    def _campaign_state(self) -> CampaignState:
        campaign = self._campaign
        if campaign is None:
            return _NO_STATE
        return CampaignState(
            state=campaign.state,
            messenger=campaign.messenger,
            send_at=campaign.send_at,
            reason=campaign.reason,
        )


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
            _add(found, Wait(since=since, until=until, waiting=waiting))
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


def condensed(found: Sequence[Wait]) -> list[Wait]:
    """At most MOST_WAITS of them, short ones told with those before."""
    told = list(found)
    for seconds in _SHORT:
        if len(told) <= MOST_WAITS:
            break
        told = _joined(told, timedelta(seconds=seconds))
    return told[:MOST_WAITS]


def _joined(found: Sequence[Wait], short: timedelta) -> list[Wait]:
    joined: list[Wait] = []
    for wait in found:
        before = joined[-1] if joined else None
        if before is not None and before.until == wait.since:
            if before.is_like(wait):
                on_and_off = before.on_and_off or wait.on_and_off
                joined[-1] = replace(before, until=wait.until, on_and_off=on_and_off)
                continue
            if wait.until - wait.since <= short:
                joined[-1] = replace(before, until=wait.until, on_and_off=True)
                continue
        joined.append(wait)
    return joined
