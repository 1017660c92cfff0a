"""Random histories that the domain could have written, for projections to be folded from."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent

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

    def accept(self, key: tuple[int, int], code: int | None = 250) -> None:
        self._end(key, "sent", Accepted, reply="taken", code=code)

    def defer(
        self, key: tuple[int, int], about: str = "recipient", seconds: int = 60, code: int | None = 450
    ) -> None:
        again = self.now.timestamp() + seconds
        self._end(key, "queued", Deferred, reply=f"{about}: later", about=about, again=again, code=code)

    def fail(self, key: tuple[int, int], about: str = "recipient", code: int | None = 550) -> None:
        reply = "" if about == "message" else f"{about}: no"
        self._end(key, "failed", Failed, reply=reply, about=about, code=code)

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
