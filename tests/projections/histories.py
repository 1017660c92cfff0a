"""Random histories that the domain could have written, for projections to be folded from."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from hypothesis import strategies as st

from domain import streams
from domain.campaign.audience import RecipientsQueued
from domain.capacity.capacity import Reserved, Returned
from domain.delivery.delivery import (
    BY_POLICY,
    Accepted,
    AttemptStarted,
    Cancelled,
    Deferred,
    Failed,
    OutcomeUnknown,
    Requeued,
    Suppressed,
)
from domain.fact import Fact

START = datetime(2026, 3, 6, 12, tzinfo=UTC)
DAYS = ("2026-03-06", "2026-03-07")

_numbers = itertools.count(1)


@dataclass
class Recorded:
    """An event as the oracle sees it."""

    at: datetime
    topic: str
    campaign: int
    number: int
    version: int
    state: dict[str, Any]
    stored: StoredEvent


@dataclass
class Reservation:
    server: int
    version: int
    n: int
    used: int = 0
    returned: bool = False


@dataclass
class History:
    """Writes events and remembers just enough of them to know what may come next."""

    now: datetime = START
    events: list[Recorded] = field(default_factory=list)
    versions: Counter[UUID] = field(default_factory=Counter)
    campaigns: dict[int, str] = field(default_factory=dict)
    last_queued: dict[int, int] = field(default_factory=dict)
    deliveries: dict[tuple[int, int], str] = field(default_factory=dict)
    servers: list[int] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    written: int = 0

    def say(self, stream: UUID, topic: str, **state: Any) -> None:
        self.versions[stream] += 1
        body = json.dumps({"by": "tester", **state}).encode()
        self._keep(StoredEvent(stream, self.versions[stream], topic, body))

    def tell(self, kind: Callable[..., Fact], stream: UUID, by: str = "processor:1", **values: Any) -> None:
        self.versions[stream] += 1
        fact = kind(originator_id=stream, originator_version=self.versions[stream], by=by, **values)
        self._keep(fact.stored())

    def _keep(self, stored: StoredEvent) -> None:
        stream = UUID(str(stored.originator_id))
        self.events.append(
            Recorded(
                at=self.now,
                topic=stored.topic,
                campaign=streams.campaign_of(stream),
                number=streams.number_of(stream),
                version=stored.originator_version,
                state=json.loads(stored.state),
                stored=stored,
            )
        )

    # What can be said about campaigns.

    def create(self, messenger: int | None = None, priority: str = "normal") -> int:
        number = next(_numbers)
        self.campaigns[number] = "draft"
        self.last_queued[number] = 0
        self.say(
            streams.campaign_stream(number),
            "campaign.created",
            number=number,
            name=f"Campaign {number}",
            subject="Subject",
            text="ab" * 32,
            html=None,
            lists=[1],
            messenger=messenger,
            priority=priority,
            headers=[],
        )
        return number

    def turn(self, campaign: int, verb: str, state: str | None = None, **values: Any) -> None:
        if state:
            self.campaigns[campaign] = state
        self.say(streams.campaign_stream(campaign), f"campaign.{verb}", **values)

    def queue(self, campaign: int, lengths: list[int]) -> None:
        ranges = []
        for length in lengths:
            first = self.last_queued[campaign] + 2
            self.last_queued[campaign] = first + length - 1
            ranges.append([first, first + length - 1])
            for recipient in range(first, first + length):
                self.deliveries[campaign, recipient] = "queued"
        stream = streams.audience_stream(campaign)
        self.tell(RecipientsQueued, stream, ranges=ranges, count=sum(lengths))

    # What can be said about servers.

    def add_server(self) -> int:
        number = next(_numbers)
        self.servers.append(number)
        settings = {"name": f"server {number}", "host": "localhost", "port": 25, "enabled": True}
        self.say(streams.server_stream(number), "server.added", number=number, settings=settings)
        return number

    def reserve(self, server: int, n: int, day: str = DAYS[0], by: str = "processor:1") -> Reservation:
        stream, until = streams.capacity_stream(server), self.now.timestamp() + 10
        self.tell(Reserved, stream, by=by, n=n, day=day, until=until)
        reservation = Reservation(server, self.versions[stream], n)
        self.reservations.append(reservation)
        return reservation

    def give_back(self, reservation: Reservation, refused: int = 0) -> None:
        reservation.returned = True
        self.tell(
            Returned,
            streams.capacity_stream(reservation.server),
            reservation=reservation.version,
            at=self.now.timestamp(),
            unused=reservation.n - reservation.used,
            refused=refused,
        )

    # What can be said about deliveries.

    def attempt(self, key: tuple[int, int], reservation: Reservation, by: str = "processor:1") -> None:
        reservation.used += 1
        self.deliveries[key] = f"sending:{reservation.server}"
        stream = streams.delivery_stream(*key)
        self.tell(
            AttemptStarted,
            stream,
            by=by,
            server=reservation.server,
            reservation=reservation.version,
            remaining=5,
        )

    def accept(self, key: tuple[int, int]) -> None:
        self._end(key, "sent", Accepted, reply="250 taken")

    def defer(self, key: tuple[int, int], about: str = "recipient", seconds: int = 60) -> None:
        again = self.now.timestamp() + seconds
        self._end(key, "queued", Deferred, reply=f"450 {about}: later", about=about, again=again)

    def fail(self, key: tuple[int, int], about: str = "recipient") -> None:
        self._end(key, "failed", Failed, reply=f"550 {about}: no", about=about)

    def lose(self, key: tuple[int, int]) -> None:
        server = self.server_of(key)
        self._end(key, f"unknown:{server}", OutcomeUnknown, reason="the connection was lost")

    def server_of(self, key: tuple[int, int]) -> int:
        return int(self.deliveries[key].partition(":")[2])

    def _end(self, key: tuple[int, int], status: str, kind: Callable[..., Fact], **values: Any) -> None:
        server = self.server_of(key)
        self.deliveries[key] = status
        self.tell(kind, streams.delivery_stream(*key), server=server, **values)

    def settle(self, key: tuple[int, int], status: str) -> None:
        """Of one that waits, without asking any server."""
        self.deliveries[key] = status
        stream = streams.delivery_stream(*key)
        if status == "failed":
            self.tell(Failed, stream, reply="the message cannot be made", about="message")
        elif status == "suppressed":
            self.tell(Suppressed, stream, reason="blocklisted")
        else:
            self.tell(Cancelled, stream, by="cli", reason="by hand")

    def requeue(self, key: tuple[int, int], reason: str = "by hand") -> None:
        self.deliveries[key] = "queued"
        self.tell(Requeued, streams.delivery_stream(*key), by="cli", reason=reason)

    def resend(self, key: tuple[int, int]) -> None:
        self.deliveries[key] = "queued"
        again = self.now.timestamp() + 60
        self.tell(Requeued, streams.delivery_stream(*key), reason=BY_POLICY, again=again)

    def in_status(self, *statuses: str) -> list[tuple[int, int]]:
        return [key for key, status in self.deliveries.items() if status.partition(":")[0] in statuses]


def _moves(history: History) -> Iterator[tuple[str, int]]:
    """What may happen next, and how often in comparison."""
    running = [n for n, state in history.campaigns.items() if state == "running"]
    paused = [n for n, state in history.campaigns.items() if state == "paused"]
    is_open = any(not r.returned and r.used < r.n for r in history.reservations)
    yield "wait", 2
    yield "reserve", 2
    yield "create", 1 if len(history.campaigns) < 3 else 0
    yield "start", 4 if "draft" in history.campaigns.values() else 0
    yield "schedule", 1 if "draft" in history.campaigns.values() else 0
    yield "queue", 4 if running or paused else 0
    yield "queue after the cancel", 1 if "cancelled" in history.campaigns.values() else 0
    yield "pause", 1 if running else 0
    yield "resume", 2 if paused else 0
    yield "cancel", 1 if running or paused else 0
    yield "finish queueing", 1 if running else 0
    yield "edit", 1
    yield "attempt", 8 if is_open and history.in_status("queued") else 0
    yield "end", 8 if history.in_status("sending") else 0
    yield "settle", 1 if history.in_status("queued") else 0
    yield "late evidence", 1 if history.in_status("unknown") else 0
    yield "resend", 3 if history.in_status("unknown") else 0
    yield "requeue", 2 if history.in_status("failed", "cancelled", "suppressed", "unknown") else 0
    yield "give back", 1 if any(not r.returned for r in history.reservations) else 0


@st.composite
def histories(draw: st.DrawFn, longest: int = 70) -> History:
    history = History()
    history.add_server()
    history.add_server()
    history.create()
    for _ in range(draw(st.integers(5, longest))):
        move = draw(st.sampled_from([move for move, weight in _moves(history) for _ in range(weight)]))
        _make(history, move, draw)
    return history


def _make(history: History, move: str, draw: st.DrawFn) -> None:
    def one_of(options: list[Any]) -> Any:
        return draw(st.sampled_from(options))

    def campaign_that_is(*states: str) -> int:
        return int(one_of([n for n, state in history.campaigns.items() if state in states]))

    match move:
        case "wait":
            history.now += timedelta(seconds=draw(st.integers(1, 7200)))
        case "reserve":
            history.reserve(one_of(history.servers), draw(st.integers(1, 5)), one_of(list(DAYS)))
        case "create":
            history.create(one_of([None, *history.servers]), one_of(["high", "normal", "low"]))
        case "start":
            history.turn(campaign_that_is("draft"), "started", "running")
        case "schedule":
            number = campaign_that_is("draft")
            history.turn(number, "scheduled", send_at=(history.now + timedelta(hours=1)).isoformat())
            if draw(st.booleans()):
                history.turn(number, "unscheduled")
        case "queue":
            history.queue(
                campaign_that_is("running", "paused"),
                draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)),
            )
        case "queue after the cancel":
            history.queue(campaign_that_is("cancelled"), [2])
        case "pause":
            history.turn(campaign_that_is("running"), "paused", "paused", reason="lunch")
        case "resume":
            history.turn(campaign_that_is("paused"), "resumed", "running")
        case "cancel":
            history.turn(campaign_that_is("running", "paused"), "cancelled", "cancelled", reason="a mistake")
        case "finish queueing":
            number = campaign_that_is("running")
            queued = sum(1 for campaign, _ in history.deliveries if campaign == number)
            history.turn(number, "queueing_finished", recipients=queued)
        case "edit":
            number = one_of(list(history.campaigns))
            if draw(st.booleans()):
                history.turn(number, "priority_changed", priority=one_of(["high", "low"]))
            else:
                history.turn(number, "edited", changes={"name": "New", "messenger": one_of([None, 1])})
        case _:
            _deliver(history, move, draw)


def _deliver(history: History, move: str, draw: st.DrawFn) -> None:
    def one_of(options: list[Any]) -> Any:
        return draw(st.sampled_from(options))

    match move:
        case "attempt":
            reservation = one_of([r for r in history.reservations if not r.returned and r.used < r.n])
            history.attempt(one_of(history.in_status("queued")), reservation)
        case "end":
            key = one_of(history.in_status("sending"))
            about = one_of(["recipient", "message", "server", "network", "processor"])
            outcome = one_of(["accept", "accept", "defer", "defer", "fail", "lose"])
            if outcome == "defer":
                history.defer(key, about, draw(st.integers(1, 7200)))
            elif outcome == "fail":
                history.fail(key, about)
            elif outcome == "accept":
                history.accept(key)
            else:
                history.lose(key)
        case "settle":
            history.settle(one_of(history.in_status("queued")), one_of(["failed", "suppressed", "cancelled"]))
        case "late evidence":
            key = one_of(history.in_status("unknown"))
            one_of([history.accept, history.fail])(key)
        case "requeue":
            key = one_of(history.in_status("failed", "cancelled", "suppressed", "unknown"))
            history.requeue(key, one_of(["by hand", BY_POLICY]))
        case "resend":
            history.resend(one_of(history.in_status("unknown")))
        case "give back":
            reservation = one_of([r for r in history.reservations if not r.returned])
            history.give_back(reservation, refused=draw(st.integers(0, reservation.used)))
        case _:
            raise AssertionError(move)
