"""What a delivery waited for: the present's own question, asked of each moment of the past.

The events of campaign, policy and servers are applied in the order of the log, and wherever one of them, an
event of capacity or time alone may change the answer, `why_it_waits` is asked again. Capacity is asked for
only of servers that it depends on. Campaigns of higher priority and missing processors show only in what was
written while a delivery was next in line: domain.delivery.in_line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domain.campaign.campaign import Campaign
from domain.campaign.state import State
from domain.capacity.capacity import Limits
from domain.capacity.past import PastCapacity, TooMuchHappened
from domain.delivery.delivery import Delivery, Status
from domain.delivery.waiting import CampaignState, Route, Waiting, why_it_waits
from domain.fact import Fact, Happened
from domain.policy import PolicyChanged, SendingPolicy
from domain.server.availability import (
    Closed,
    Open,
    Reason,
    SendingState,
    ServerState,
    availability,
    closed_by_limits,
)
from domain.server.server import SmtpServer
from domain.streams import number_of

FOLLOWED = timedelta(minutes=10)
"""How far the capacity of a server is followed at once."""

_NO_STATE = CampaignState(state=State.DRAFT)


SHORT_IN_LINE = timedelta(seconds=1)


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

    @property
    def lasted(self) -> timedelta:
        return self.until - self.since

    @property
    def goes_without_saying(self) -> bool:
        """Everything is next in line for a moment before it goes out."""
        return self.waiting.reason is Reason.NEXT_IN_LINE and self.lasted < SHORT_IN_LINE

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


class Told(NamedTuple):
    """`known_until` is None when all is known."""

    waits: list[Wait]
    known_until: datetime | None = None


def waits(queued: Iterable[Span], happened: Iterable[Happened], past: Past) -> Told:
    """In order, each until the next reason or the end of the span. Cancelled with its campaign, a delivery
    waits no more."""
    found: list[Wait] = []
    events = deque(happened)
    for span in queued:
        at = span.since
        while at < span.until:
            while events and events[0].at <= at:
                past.apply(events.popleft().event)
            stop = min(span.until, events[0].at) if events else span.until
            try:
                waiting, stop = past.why(at, span.again, stop)
            except TooMuchHappened:
                return Told(found, at)
            if waiting.reason is Reason.CAMPAIGN_CANCELLED:
                return Told(found)
            add_wait(found, Wait(since=at, until=stop, waiting=waiting))
            at = stop
    return Told(found)


def add_wait(found: list[Wait], wait: Wait) -> None:
    """One that is like the last of them and follows at once makes it longer."""
    if found and found[-1].until == wait.since and found[-1].is_like(wait):
        found[-1] = replace(found[-1], until=wait.until)
    else:
        found.append(wait)


def _first(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


class _LastingAnswer(NamedTuple):
    """`by_itself` is what it would be without limits; it holds until `ends`, None for as long as no event
    changes it."""

    answer: Open | Closed
    by_itself: Open | Closed
    ends: datetime | None


class Past:
    """All that decides, as of one moment, which never goes back."""

    def __init__(self, capacity: PastCapacity) -> None:
        self._capacity = capacity
        self._campaign: Campaign | None = None
        self.policy = SendingPolicy()
        self._servers: dict[int, SmtpServer] = {}
        self._states: dict[int, ServerState] = {}
        self._answers: dict[int, _LastingAnswer] = {}
        self._opens: tuple[datetime | None, datetime | None] | None = None
        self._known_open = 0

    def apply(self, event: object) -> None:
        match event:
            case PolicyChanged():
                self.policy = self.policy.apply(event)
                self._states.clear()
                self._answers.clear()
                self._opens = None
            case Campaign.Created() | Campaign.Event():
                self._campaign = event.mutate(self._campaign)
            case SmtpServer.Created() | SmtpServer.Event():
                number = number_of(event.originator_id)
                server = event.mutate(self._servers.get(number))
                assert server is not None
                self._servers[number] = server
                self._states.pop(number, None)
                self._answers.pop(number, None)

    def why(self, at: datetime, again: datetime, upto: datetime) -> tuple[Waiting, datetime]:
        """And until when it is that: `upto` at the latest, before which nothing else is applied."""
        opens, changes = self._calendar(at)
        waiting, ends = self._asked(at, again, opens, ()), [again, changes]
        if waiting.reason is Reason.NO_SERVER:
            routes = self._routes(at, upto)
            waiting = self._asked(at, again, opens, routes)
            ends += [self._answers[route.server].ends for route in routes]
        return waiting, min([upto, *(end for end in ends if end is not None and end > at)])

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

    def _routes(self, at: datetime, upto: datetime) -> list[Route]:
        """One that is open, which is enough; else all that the campaign may go through, each closed. The one
        that was open last is asked first, then ever more at once: what others do costs nothing."""
        only = self._campaign.messenger if self._campaign else None
        numbers = [number for number in self._servers if only in (None, number)]
        left = deque(sorted(numbers, key=lambda number: number != self._known_open))
        closed: list[Route] = []
        while left:
            some = [left.popleft() for _ in range(min(len(left), len(closed) + 1))]
            self._ask(some, at, upto)
            for number in some:
                name, answer = self._servers[number].settings.name, self._answers[number].answer
                route = Route(server=number, name=name, answer=answer)
                if isinstance(answer, Open):
                    self._known_open = number
                    return [route]
                closed.append(route)
        return closed

    def _ask(self, numbers: Iterable[int], at: datetime, upto: datetime) -> None:
        """Has an answer of each that holds at that moment."""
        limited: dict[int, Limits] = {}
        for number in numbers:
            known = self._answers.get(number)
            if known is not None and (known.ends is None or known.ends > at):
                continue
            answer = known.by_itself if known else None
            if answer is None or (answer.until is not None and answer.until <= at):
                answer = availability(self._state(number), at)
            self._answers[number] = _LastingAnswer(answer, answer, answer.until)
            limits = self._servers[number].limits()
            if isinstance(answer, Open) and (limits.daily or limits.sliding):
                limited[number] = limits
        self._capacity.read(limited, self.policy.timezone, at)
        for number, limits in limited.items():
            self._answers[number] = self._limited(number, limits, at, upto)

    def _state(self, number: int) -> ServerState:
        if number not in self._states:
            self._states[number] = self._servers[number].state(self.policy)
        return self._states[number]

    def _limited(self, number: int, limits: Limits, at: datetime, upto: datetime) -> _LastingAnswer:
        """Of a server that is open by itself. Its capacity is followed while the answer stays the same, not
        far, lest all that may be read be of one server."""
        by_itself, upto = self._answers[number].by_itself, min(upto, at + FOLLOWED)
        closed, changes = self._by_limits(number, limits, at)
        while True:
            ends = _first(closed.until if closed else None, by_itself.until, changes)
            if changes is None or changes != ends or changes >= upto:
                break
            try:
                then, changes = self._by_limits(number, limits, changes)
            except TooMuchHappened:
                break
            if (then and then.reason) != (closed and closed.reason):
                break
            closed = then
        return _LastingAnswer(closed or by_itself, by_itself, ends)

    def _by_limits(self, number: int, limits: Limits, at: datetime) -> tuple[Closed | None, datetime | None]:
        """And when its capacity changes. Raises TooMuchHappened."""
        capacity, changes = self._capacity.at(number, at)
        now, day = at.timestamp(), self.policy.calendar.local_date(at).isoformat()
        used, in_window, frees = capacity.counts(now, day, limits)
        state = replace(
            self._state(number),
            limits=limits,
            used_today=used,
            in_window=in_window,
            rolling_frees=None if frees is None else datetime.fromtimestamp(frees, UTC),
        )
        return closed_by_limits(state, at), changes

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
