"""Processors as far as the log and the table of processors know them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.capacity.capacity import Reserved
from domain.clock import SystemClock
from domain.delivery.delivery import (
    Accepted,
    AttemptStarted,
)
from domain.fact import Fact
from domain.policy import SendingPolicy
from domain.streams import capacity_stream, delivery_stream
from processor.recovery.flight_recorder import FlightRecorder
from processor.recovery.heartbeat import Heartbeat
from processor.recovery.recovery import Recovery, host_name
from projections.following.runner import Runner
from projections.queue import queue
from storage import processors
from storage.log.committer import Committer
from storage.postgres.pool import Pool
from storage.shared_clock import set_by_database

CAMPAIGN, SERVER = 1, 1


PATIENCE = timedelta(seconds=30)


RETURNS = """
    SELECT (convert_from(state, 'UTF8')::jsonb->>'reservation')::integer,
           coalesce((convert_from(state, 'UTF8')::jsonb->>'unused')::integer, 0)
    FROM events WHERE stream_id = %s AND topic = 'capacity.returned' ORDER BY position
"""


REFUSED = """
    SELECT coalesce((convert_from(state, 'UTF8')::jsonb->>'refused')::integer, 0)
    FROM events WHERE stream_id = %s AND topic = 'capacity.returned' ORDER BY position
"""


AGE = "UPDATE processors SET seen_at = seen_at - %s WHERE number = %s"


def shared_clock(pool: Pool) -> SystemClock:
    clock = SystemClock()
    with pool.transaction() as cursor:
        set_by_database(clock, cursor)
    return clock


class Member:
    """A processor as far as the log and the table of processors know it."""

    def __init__(self, pool: Pool, records: Path, *, host: str | None = None, pid: int | None = None) -> None:
        self.pool = pool
        with pool.transaction() as cursor:
            now = processors.database_time(cursor)
            self.number = processors.register(cursor, host or host_name(), pid or os.getpid(), now)
        self.committer = Committer(pool, processor=self.number)
        self.heartbeat = Heartbeat(pool, self.number, PATIENCE)
        self.recovery = Recovery(
            pool, Runner(pool), self.committer, shared_clock(pool), self.heartbeat, self.number, records
        )
        self.recorder = FlightRecorder(records, self.number, now)

    @property
    def by(self) -> str:
        return f"processor:{self.number}"

    def say(self, *facts: Fact) -> None:
        self.committer.append([fact.stored() for fact in facts])

    def reserve(self, units: int, version: int = 1) -> None:
        now = datetime.now(UTC)
        self.say(
            Reserved(
                originator_id=capacity_stream(SERVER), originator_version=version, by=self.by, n=units,
                day=now.date().isoformat(), until=now.timestamp() + 10,
            )
        )  # fmt: skip

    def attempt(self, recipient: int, *, reservation: int = 1, accepted: bool = False) -> None:
        stream = delivery_stream(CAMPAIGN, recipient)
        facts: list[Fact] = [
            AttemptStarted(
                originator_id=stream, originator_version=1, by=self.by, server=SERVER, reservation=reservation
            )
        ]
        if accepted:
            facts.append(
                Accepted(originator_id=stream, originator_version=2, by=self.by, server=SERVER, reply="250")
            )
        self.say(*facts)

    def start(self, recipient: int, *, version: int = 1, reservation: int = 1) -> int:
        """An attempt as the dispatcher starts it; its slot in the flight record."""
        stream = delivery_stream(CAMPAIGN, recipient)
        slot = self.recorder.start(stream.bytes, version, reservation, SERVER)
        self.say(
            AttemptStarted(
                originator_id=stream, originator_version=version, by=self.by, server=SERVER,
                reservation=reservation,
            )
        )  # fmt: skip
        return slot

    def hear(self, slot: int, fact: Fact, *, dot_sent: bool) -> None:
        """What the dispatcher does before it hands the outcome to the log."""
        self.recorder.ended(slot, *fact.entry()[2:], dot_sent=dot_sent)

    def recover(self, *, resend_unknown: bool = False) -> int:
        return self.recovery.run(SendingPolicy(resend_unknown=resend_unknown))


class Members:
    def __init__(self, pool: Pool, stack: ExitStack, records: Path) -> None:
        self._pool = pool
        self._stack = stack
        self._records = records

    def join(self, **where: Any) -> Member:
        member = Member(self._pool, self._records, **where)
        self._stack.callback(member.committer.close)
        return member

    def join_and_die(self, **where: Any) -> Member:
        """One whose process does not exist any more."""
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        return self.join(pid=ended.pid, **where)


def counts(pool: Pool) -> dict[str, int]:
    Runner(pool).catch_up()
    with pool.transaction() as cursor:
        return {status: n for status, n in queue.counts(cursor).items() if n}


def returns(pool: Pool) -> list[tuple[int, int]]:
    with pool.transaction() as cursor:
        cursor.execute(RETURNS, (str(capacity_stream(SERVER)),))
        return cursor.fetchall()


def refused(pool: Pool) -> list[int]:
    with pool.transaction() as cursor:
        cursor.execute(REFUSED, (str(capacity_stream(SERVER)),))
        return [units for (units,) in cursor.fetchall()]


def accepted(recipient: int, by: Member) -> Accepted:
    return Accepted(
        originator_id=delivery_stream(CAMPAIGN, recipient), originator_version=2, by=by.by, server=SERVER,
        reply="2.0.0 taken", code=250,
    )  # fmt: skip


def fenced(pool: Pool, member: Member) -> bool:
    with pool.transaction() as cursor:
        cursor.execute("SELECT fenced FROM processors WHERE number = %s", (member.number,))
        return bool(cursor.fetchone()[0])


def aged(pool: Pool, member: Member, seconds: float) -> None:
    """It was last seen so many seconds earlier than it was."""
    with pool.transaction() as cursor:
        cursor.execute(AGE, (timedelta(seconds=seconds), member.number))


def steady_for_a_minute(member: Member) -> None:
    """As if its heart had beaten for a minute without a pause."""
    member.heartbeat.beat()
    member.heartbeat._steady_since -= timedelta(minutes=1)  # type: ignore[operator]
