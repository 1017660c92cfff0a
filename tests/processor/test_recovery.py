"""What a dead processor left open is closed once, by whoever lives; nobody is taken for dead in haste."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from application.decisions import Postledger
from domain.campaign.audience import RecipientsQueued
from domain.capacity.capacity import Reserved
from domain.clock import SystemClock
from domain.delivery.delivery import Accepted, AttemptStarted
from domain.fact import Fact
from domain.policy import SendingPolicy
from domain.streams import audience_stream, capacity_stream, delivery_stream
from processor.recovery.heartbeat import Heartbeat
from processor.recovery.recovery import Recovery, host_name
from projections.following.runner import Runner
from projections.queue import queue
from storage import content, processors
from storage.log import LogFactory
from storage.log.append import Log
from storage.log.committer import Committer, Fenced
from storage.people import lists
from storage.postgres.pool import Pool
from storage.shared_clock import set_by_database

CAMPAIGN, SERVER = 1, 1
PATIENCE = timedelta(seconds=30)
RETURNS = """
    SELECT (convert_from(state, 'UTF8')::jsonb->>'reservation')::integer,
           coalesce((convert_from(state, 'UTF8')::jsonb->>'unused')::integer, 0)
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

    def __init__(self, pool: Pool, *, host: str | None = None, pid: int | None = None) -> None:
        self.pool = pool
        with pool.transaction() as cursor:
            now = processors.database_time(cursor)
            self.number = processors.register(cursor, host or host_name(), pid or os.getpid(), now)
        self.committer = Committer(pool, processor=self.number)
        self.heartbeat = Heartbeat(pool, self.number, PATIENCE)
        self.recovery = Recovery(
            pool, Runner(pool), self.committer, shared_clock(pool), self.heartbeat, self.number
        )

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

    def recover(self, *, resend_unknown: bool = False) -> int:
        return self.recovery.run(SendingPolicy(resend_unknown=resend_unknown))


class Members:
    def __init__(self, pool: Pool, stack: ExitStack) -> None:
        self._pool = pool
        self._stack = stack

    def join(self, **where: Any) -> Member:
        member = Member(self._pool, **where)
        self._stack.callback(member.committer.close)
        return member

    def join_and_die(self, **where: Any) -> Member:
        """One whose process does not exist any more."""
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        return self.join(pid=ended.pid, **where)


@pytest.fixture
def members(pool: Pool) -> Iterator[Members]:
    with ExitStack() as stack:
        yield Members(pool, stack)


@pytest.fixture(autouse=True)
def campaign(pool: Pool) -> None:
    """Ten people are queued in a campaign that runs."""
    application = Postledger(factory=LogFactory(pool=pool))
    with pool.transaction() as cursor:
        everybody, text = lists.create(cursor, {"name": "Everybody"}), content.keep(cursor, "Hello")
    application.create_campaign(
        number=CAMPAIGN, by="test", name="Spring", subject="News", text=text, lists=[everybody]
    )
    application.start(CAMPAIGN, by="test")
    audience = RecipientsQueued(
        originator_id=audience_stream(CAMPAIGN), originator_version=1, by="test", ranges=[[1, 10]], count=10
    )
    Log(pool).append([audience.stored()])


def counts(pool: Pool) -> dict[str, int]:
    Runner(pool).catch_up()
    with pool.transaction() as cursor:
        return {status: n for status, n in queue.counts(cursor).items() if n}


def returns(pool: Pool) -> list[tuple[int, int]]:
    with pool.transaction() as cursor:
        cursor.execute(RETURNS, (str(capacity_stream(SERVER)),))
        return cursor.fetchall()


def fenced(pool: Pool, member: Member) -> bool:
    with pool.transaction() as cursor:
        cursor.execute("SELECT fenced FROM processors WHERE number = %s", (member.number,))
        return bool(cursor.fetchone()[0])


def aged(pool: Pool, member: Member, seconds: float) -> None:
    """It was last seen so many seconds earlier than it was."""
    with pool.transaction() as cursor:
        cursor.execute(AGE, (timedelta(seconds=seconds), member.number))


def test_attempts_of_the_dead_become_unknown_and_what_they_did_not_use_comes_back(
    members: Members, pool: Pool
) -> None:
    dead, alive = members.join_and_die(), members.join()
    dead.reserve(5)
    dead.attempt(1, accepted=True)
    dead.attempt(2)
    assert alive.recover() == 1
    assert counts(pool) == {"queued": 8, "sent": 1, "unknown": 1}
    assert returns(pool) == [(1, 3)]
    assert alive.recover() == 0
    with pytest.raises(Fenced):
        dead.attempt(3)


def test_the_policy_may_have_unknown_ones_sent_again(members: Members, pool: Pool) -> None:
    dead, alive = members.join_and_die(), members.join()
    dead.reserve(2)
    dead.attempt(1)
    alive.recover(resend_unknown=True)
    assert counts(pool) == {"queued": 10}


def test_a_reservation_that_was_wholly_used_is_not_returned(members: Members, pool: Pool) -> None:
    dead, alive = members.join_and_die(), members.join()
    dead.reserve(2)
    dead.attempt(1, accepted=True)
    dead.attempt(2, accepted=True)
    alive.recover()
    assert returns(pool) == []


def test_two_that_recover_at_a_time_return_a_reservation_once(members: Members, pool: Pool) -> None:
    dead, one, other = members.join_and_die(), members.join(), members.join()
    dead.reserve(5)

    class Overtaken:
        """The other one does all of it between the one's look and its append."""

        def append(self, events: Any) -> list[int]:
            other.recover()
            return one.committer.append(events)

    Recovery(
        pool, Runner(pool), Overtaken(), shared_clock(pool), one.heartbeat, one.number,  # type: ignore[arg-type]
    ).run(SendingPolicy())  # fmt: skip
    assert returns(pool) == [(1, 5)]


def test_others_may_use_the_server_while_a_reservation_is_returned(members: Members, pool: Pool) -> None:
    dead, one, busy = members.join_and_die(), members.join(), members.join()
    dead.reserve(5)
    versions = iter((2, 3))

    class Overtaken:
        """Somebody else reserves, twice, between the look and the append."""

        def append(self, events: Any) -> list[int]:
            version = next(versions, None)
            if version is not None:
                busy.reserve(1, version)
            return one.committer.append(events)

    Recovery(
        pool, Runner(pool), Overtaken(), shared_clock(pool), one.heartbeat, one.number,  # type: ignore[arg-type]
    ).run(SendingPolicy())  # fmt: skip
    assert returns(pool) == [(1, 5)]


def test_one_on_another_host_is_dead_when_it_is_silent_for_too_long(members: Members, pool: Pool) -> None:
    elsewhere, here = members.join(host="elsewhere", pid=1), members.join()
    steady_for_a_minute(here)
    here.recover()
    assert not fenced(pool, elsewhere)
    aged(pool, elsewhere, 31)
    here.recover()
    assert fenced(pool, elsewhere)
    elsewhere.heartbeat.beat()
    assert elsewhere.heartbeat.is_fenced


def test_who_did_not_hear_anybody_for_a_while_takes_nobody_for_dead(members: Members, pool: Pool) -> None:
    """The database was away: all were silent alike."""
    elsewhere, here = members.join(host="elsewhere", pid=1), members.join()
    aged(pool, elsewhere, 31)
    here.heartbeat.beat()
    here.recover()
    assert not fenced(pool, elsewhere)
    steady_for_a_minute(here)
    here.heartbeat._last -= timedelta(seconds=16)  # type: ignore[operator]
    here.heartbeat.beat()
    here.recover()
    assert not fenced(pool, elsewhere)


def test_nobody_takes_itself_for_dead(members: Members, pool: Pool) -> None:
    here = members.join(host="elsewhere", pid=1)
    steady_for_a_minute(here)
    aged(pool, here, 31)
    here.recover()
    assert not fenced(pool, here)


def test_those_alive_share_by_rank(members: Members, pool: Pool) -> None:
    everybody = [members.join(), members.join(), members.join()]
    aged(pool, everybody[1], 31)
    for member in (everybody[0], everybody[2]):
        member.heartbeat.beat()
    assert [member.heartbeat.share for member in (everybody[0], everybody[2])] == [(0, 2), (1, 2)]


def steady_for_a_minute(member: Member) -> None:
    """As if its heart had beaten for a minute without a pause."""
    member.heartbeat.beat()
    member.heartbeat._steady_since -= timedelta(minutes=1)  # type: ignore[operator]
