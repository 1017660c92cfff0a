"""The simulation: the real plan, domain, log and projections, under a clock that does not wait.

Nothing is sent: every attempt is answered at once, accepted or refused by chance as asked for. What the
limits and windows would have been is then checked from the log alone, by code that knows nothing of the
planner (`postledger/tools/violations.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2
from psycopg2 import sql

from application.decisions.postledger import Postledger
from application.reservations import Reservations
from domain.capacity.capacity import Limits
from domain.clock import VirtualClock
from domain.delivery.about import About
from domain.delivery.delivery import Accepted, AttemptStarted
from domain.delivery.reply import Verdict
from domain.fact import Fact
from domain.streams import delivery_stream
from postledger.session import Database, prepare
from postledger.tools.violations import DayOfSending, days_of, limit_violations, window_violations
from processor.campaigns import DueCampaigns
from processor.dispatch.attempt import refused
from processor.planner.planned_deliveries import PlannedDeliveries
from processor.planner.rounds import Rounds
from processor.planner.send import PoolCapacity, Send
from processor.queueing import Queueing
from processor.send_permissions import SendPermissions
from projections.following.runner import Runner
from projections.queue import queue
from storage import content
from storage.log.committer import Committer
from storage.log.factory import LogFactory
from storage.numbers import next_campaign, next_server
from storage.people import lists
from storage.postgres.pool import Pool
from storage.secrets import Secrets, new_key

ACTOR = "simulation"
TEMPORARY = Verdict(About.RECIPIENT, transient=True)
PEOPLE = """
    WITH made AS (
        INSERT INTO recipients (email, name)
        SELECT 'person' || n || '@simulation.invalid', 'Person ' || n FROM generate_series(1, %s) n
        RETURNING number
    )
    INSERT INTO subscriptions (list, recipient, status) SELECT %s, number, 'confirmed' FROM made
"""
STEP = timedelta(seconds=60)
"""How far the clock moves between two rounds while there is something to send."""


@dataclass(frozen=True, kw_only=True)
class SimulationOptions:
    """`speed` is what one server takes a minute; `failure_rate` the share of attempts that fail for a
    while; `sliding` is (N, seconds); `start` an aware datetime."""

    recipients: int
    servers: int
    daily_limit: int
    timezone: str
    start: datetime
    window: str = ""
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    sliding: tuple[int, int] | None = None
    failure_rate: float = 0.0
    speed: int = 600
    days: int = 400
    seed: int = 1


@dataclass
class Result:
    days: list[DayOfSending]
    limit_violations: int
    window_violations: int
    counts: dict[str, int]
    events: int


def simulate(beside: Database, options: SimulationOptions) -> Result:
    """In a scratch database on the same PostgreSQL server, which is dropped in the end."""
    with _scratch_database(beside) as scratch:
        return Simulation(scratch, options).run()


@contextmanager
def _scratch_database(beside: Database) -> Iterator[Database]:
    name = sql.Identifier(f"simulation_{random.getrandbits(48):x}")
    connection = psycopg2.connect(beside.owner_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield beside.named(name.string)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.close()


class Simulation:
    def __init__(self, database: Database, options: SimulationOptions) -> None:
        prepare(database)
        self._options = options
        self._chance = random.Random(options.seed)  # noqa: S311
        self._clock = VirtualClock(options.start)
        self._pool = Pool(database.url, size=4)
        self._application = Postledger(
            factory=LogFactory(pool=self._pool, clock=self._clock), clock=self._clock
        )
        self._runner = Runner(self._pool)
        self._committer = Committer(database.url, self._clock)
        self._planned = PlannedDeliveries()

    def run(self) -> Result:
        try:
            self._set_up()
            self._send_everything()
            return self._result()
        finally:
            self._committer.close()
            self._pool.close()

    def _set_up(self) -> None:
        options = self._options
        changes: dict[str, Any] = {
            "timezone": options.timezone,
            "windows": options.window,
            "weekdays": list(options.weekdays),
        }
        self._application.change_policy(changes, by=ACTOR)
        for number in range(1, options.servers + 1):
            with self._pool.transaction() as cursor:
                server = next_server(cursor)
            self._application.add_server(number=server, settings=_settings(number, options), by=ACTOR)
        with self._pool.transaction() as cursor:
            people = lists.create(cursor, {"name": "Everybody"})
            cursor.execute(PEOPLE, (options.recipients, people))
            campaign, text = next_campaign(cursor), content.keep(cursor, "Hello")
        self._application.create_campaign(
            number=campaign, name="Simulated", subject="Hello", text=text, lists=[people], by=ACTOR
        )
        self._application.start(campaign, by=ACTOR)

    def _send_everything(self) -> None:
        secrets = Secrets([new_key()])
        permissions = SendPermissions(self._pool, self._application, secrets, "https://simulation.invalid")
        reservations = Reservations(self._pool, self._committer, ACTOR)
        rounds = Rounds(self._pool, permissions, reservations, self._planned, self._clock)
        queueing = Queueing(self._pool, self._application, self._committer, ACTOR)
        campaigns = DueCampaigns(self._pool, self._application, self._runner, queueing, self._clock, ACTOR)
        end = self._options.start + timedelta(days=self._options.days)
        while self._clock.now() < end:
            campaigns.run()
            self._runner.catch_up()
            if self._is_over():
                return
            permissions.refresh(self._clock.now())
            sends = rounds.plan(
                {server: PoolCapacity(self._options.speed) for server in permissions.view.servers}
            )
            self._attempt(sends, reservations, permissions.view.limits)
            self._runner.catch_up()
            self._planned.forget(self._runner.position)
            self._advance(bool(sends), permissions, reservations)

    def _attempt(self, sends: list[Send], reservations: Reservations, limits: Mapping[int, Limits]) -> None:
        now = self._clock.now().timestamp()
        facts: list[Fact] = []
        for send in sends:
            reservation = reservations.take(send.server, limits[send.server], now)
            assert reservation is not None, "a round hands out what it reserved"
            stream = delivery_stream(send.campaign, send.recipient)
            facts.append(_started(send, stream, reservation.version))
            facts.append(self._outcome(send, stream, now))
            reservations.ended(reservation, refused=False)
        if facts:
            position = self._committer.append([fact.stored() for fact in facts], notify=False)[-1]
            for send in sends:
                self._planned.wrote(send.key, position)

    def _outcome(self, send: Send, stream: UUID, now: float) -> Fact:
        if self._chance.random() >= self._options.failure_rate:
            return Accepted(
                originator_id=stream, originator_version=send.version + 2, by=ACTOR, server=send.server,
                reply="2.0.0 simulated", code=250,
            )  # fmt: skip
        policy = self._application.policy()
        jitter = self._chance.random()
        return refused(send, TEMPORARY, "4.2.1 simulated", now, policy, jitter, ACTOR, code=451)

    def _is_over(self) -> bool:
        with self._pool.transaction() as cursor:
            counts = queue.counts(cursor)
        return not counts["queued"] and not counts["sending"] and bool(sum(counts.values()))

    def _advance(self, is_sending: bool, permissions: SendPermissions, reservations: Reservations) -> None:
        """To the next minute while there is work, else to the next moment at which there can be some."""
        now = self._clock.now()
        if is_sending:
            self._clock.advance_to(now + STEP)
            return
        moments = [now + timedelta(hours=1)]
        opens = permissions.view.calendar.opens_at(now)
        if opens is not None and opens > now:
            moments = [opens]
        frees = reservations.next_change(permissions.view.limits, permissions.view.calendar, now)
        if frees is not None and opens == now:
            moments.append(datetime.fromtimestamp(frees, now.tzinfo))
        with self._pool.transaction() as cursor:
            due = queue.next_scheduled_at(cursor)
        if due is not None and due > now and opens == now:
            moments.append(due)
        self._clock.advance_to(max(min(moments), now + timedelta(milliseconds=1)))

    def _result(self) -> Result:
        options = self._options
        with self._pool.transaction() as cursor:
            return Result(
                days=days_of(cursor, options.timezone),
                limit_violations=limit_violations(
                    cursor, options.timezone, options.daily_limit, options.sliding
                ),
                window_violations=window_violations(
                    cursor, options.timezone, options.window, set(options.weekdays)
                ),
                counts=queue.counts(cursor),
                events=_events(cursor),
            )


def _settings(number: int, options: SimulationOptions) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "name": f"server-{number:02}",
        "host": "127.0.0.1",
        "port": 25,
        "from_email": f"news@server-{number:02}.example",
        "daily_limit": options.daily_limit,
    }
    if options.sliding:
        rate, seconds = options.sliding
        settings |= {
            "sliding_window": True,
            "sliding_window_rate": rate,
            "sliding_window_duration": seconds,
        }
    return settings


def _started(send: Send, stream: UUID, reservation: int) -> AttemptStarted:
    return AttemptStarted(
        originator_id=stream,
        originator_version=send.version + 1,
        by=ACTOR,
        server=send.server,
        reservation=reservation,
        remaining=send.remaining,
    )


def _events(cursor: Any) -> int:
    cursor.execute("SELECT position FROM log_head")
    return int(cursor.fetchone()[0])
