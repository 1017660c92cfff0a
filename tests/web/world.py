"""A world that tests write into the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from application.installation import Installation
from domain.campaign.audience import RecipientsQueued
from domain.capacity.capacity import Reserved
from domain.clock import VirtualClock
from domain.delivery.delivery import Accepted, AttemptStarted, Deferred, Failed, OutcomeUnknown
from domain.fact import Fact
from domain.streams import audience_stream, capacity_stream, delivery_stream
from storage import content, processors
from storage.numbers import next_campaign, next_server
from storage.postgres.pool import Pool
from storage.secrets import Secrets, new_key
from tests.directory import Directory

SECRETS = Secrets([new_key()])
KEY = SECRETS.token_key()
PUBLIC_URL = "https://post.example.com"
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class World:
    """What happened so far, told in the log. Numbers are given out as 1, 2, 3, …"""

    def __init__(self, pool: Pool, clock: VirtualClock) -> None:
        self.pool = pool
        self.clock = clock
        self.installation = Installation.over(pool, clock, secrets=SECRETS, public_url=PUBLIC_URL)
        self.log = self.installation.log
        self.application = self.installation.application
        self.runner = self.installation.runner
        self.processor = self._processor()
        self.directory = Directory(self.installation)
        self._reservations: dict[int, int] = {}
        self._versions: dict[tuple[int, int], int] = {}

    def _processor(self) -> int:
        """One that was seen just now."""
        with self.pool.transaction() as cursor:
            return processors.register(cursor, "here", 1, processors.database_time(cursor))

    def without_processor(self) -> None:
        """The one there was has stopped."""
        with self.pool.transaction() as cursor:
            processors.fence(cursor, self.processor)

    def server(self, name: str, **settings: Any) -> int:
        given = {
            "name": name,
            "host": "smtp.example.com",
            "from_email": f"news@{name}.example.com",
            **settings,
        }
        with self.pool.transaction() as cursor:
            number = next_server(cursor)
        return self.application.add_server(given, number=number, by="test")

    def people(self, count: int, list_name: str = "Friends") -> list[int]:
        people = [(f"p{number}@example.org", "") for number in range(1, count + 1)]
        return self.directory.bring(people, list_name, "unconfirmed")

    def campaign(self, name: str = "Spring letter", **others: Any) -> int:
        with self.pool.transaction() as cursor:
            text = content.keep(cursor, "Hello")
            number = next_campaign(cursor)
        lists = [self.directory.list("Friends")]
        return self.application.create_campaign(
            number=number, by="test", name=name, subject="News", text=text, lists=lists, **others
        )

    def queued(self, campaign: int, people: list[int]) -> None:
        """Starts the campaign and queues all of its people."""
        self.application.start(campaign, by="test")
        self.append(
            RecipientsQueued(
                originator_id=audience_stream(campaign),
                originator_version=1,
                by="test",
                ranges=[[min(people), max(people)]],
                count=len(people),
            )
        )
        self.application.finish_queueing(campaign, len(people), by="test")
        self.runner.catch_up()

    def reserve(self, server: int, n: int) -> int:
        version = self._reservations[server] = self._reservations.get(server, 0) + 1
        until = self.clock.now() + timedelta(seconds=10)
        self.append(
            Reserved(
                originator_id=capacity_stream(server),
                originator_version=version,
                by="test",
                n=n,
                day=self.application.policy().calendar.local_date(self.clock.now()).isoformat(),
                until=until.timestamp(),
            )
        )
        return version

    def attempt(self, campaign: int, recipient: int, server: int) -> None:
        reservation = self._reservations.get(server) or self.reserve(server, 1)
        self.tell(campaign, recipient, AttemptStarted, server=server, reservation=reservation)

    def accepted(self, campaign: int, recipient: int, server: int) -> None:
        self.attempt(campaign, recipient, server)
        self.tell(campaign, recipient, Accepted, server=server, reply="2.0.0 Ok: queued as 4F1", code=250)

    def failed(
        self, campaign: int, recipient: int, server: int, reply: str = "550 5.1.1 No such user"
    ) -> None:
        self.attempt(campaign, recipient, server)
        self.tell(campaign, recipient, Failed, server=server, reply=reply, about="recipient")

    def deferred(self, campaign: int, recipient: int, server: int, again: datetime) -> None:
        self.attempt(campaign, recipient, server)
        self.tell(
            campaign, recipient, Deferred,
            server=server, reply="4.2.1 Try later", about="recipient", again=again.timestamp(), code=450,
        )  # fmt: skip

    def unknown(self, campaign: int, recipient: int, server: int) -> None:
        self.attempt(campaign, recipient, server)
        self.tell(campaign, recipient, OutcomeUnknown, server=server, reason="the processor died")

    def tell(self, campaign: int, recipient: int, fact: type[Fact], **fields: Any) -> None:
        version = self._versions[campaign, recipient] = self._versions.get((campaign, recipient), 0) + 1
        stream = delivery_stream(campaign, recipient)
        self.append(fact(originator_id=stream, originator_version=version, by="test", **fields))

    def append(self, *facts: Fact) -> None:
        self.log.append([fact.stored() for fact in facts])

    def shown(self) -> None:
        self.runner.catch_up()
