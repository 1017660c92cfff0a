"""What a dead processor left open is closed once, by whoever lives; nobody is taken for dead in haste."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from application.decisions import Postledger
from domain.campaign.audience import RecipientsQueued
from domain.capacity.capacity import Reserved
from domain.clock import SystemClock
from domain.delivery.delivery import (
    BY_POLICY,
    Accepted,
    AttemptStarted,
    Failed,
    OutcomeUnknown,
    Requeued,
)
from domain.fact import Fact
from domain.policy import SendingPolicy
from domain.streams import audience_stream, capacity_stream, delivery_stream
from processor.recovery.flight_recorder import FlightRecorder
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


@pytest.fixture
def members(pool: Pool, tmp_path: Path) -> Iterator[Members]:
    with ExitStack() as stack:
        yield Members(pool, stack, tmp_path)


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


def refused(pool: Pool) -> list[int]:
    with pool.transaction() as cursor:
        cursor.execute(REFUSED, (str(capacity_stream(SERVER)),))
        return [units for (units,) in cursor.fetchall()]


def accepted(recipient: int, by: Member) -> Accepted:
    return Accepted(
        originator_id=delivery_stream(CAMPAIGN, recipient), originator_version=2, by=by.by, server=SERVER,
        reply="2.0.0 taken",
    )  # fmt: skip


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


def test_what_the_dead_had_heard_is_recorded_and_what_it_had_not_sent_is_put_back(
    members: Members, pool: Pool
) -> None:
    dead, alive = members.join_and_die(), members.join()
    dead.reserve(4)
    taken, refusal, waiting, _ = (dead.start(recipient) for recipient in (1, 2, 3, 4))
    for slot in (taken, waiting):
        dead.recorder.dot_sent(slot)
    dead.hear(taken, accepted(1, dead), dot_sent=True)
    gone = Failed(
        originator_id=delivery_stream(CAMPAIGN, 2), originator_version=2, by=dead.by, server=SERVER,
        reply="5.1.1 unknown", about="recipient",
    )  # fmt: skip
    dead.hear(refusal, gone, dot_sent=False)
    dead.recorder.close()
    assert alive.recover() == 4
    assert counts(pool) == {"sent": 1, "failed": 1, "unknown": 1, "queued": 7}
    assert returns(pool) == [(1, 0)]
    assert refused(pool) == [2], "units of attempts that ended before the dot"
    assert alive.recover() == 0


def test_a_record_is_believed_only_once_its_process_is_gone(members: Members, pool: Pool) -> None:
    """It was only asleep: it may yet send what it had not sent."""
    sleeper, alive = members.join(host=host_name()), members.join()
    sleeper.reserve(1)
    sleeper.start(1)
    steady_for_a_minute(alive)
    aged(pool, sleeper, 31)
    assert alive.recover() == 1
    assert counts(pool) == {"unknown": 1, "queued": 9}
    assert refused(pool) == []


def test_a_record_counts_only_for_the_attempt_that_the_log_shows(members: Members, pool: Pool) -> None:
    dead, alive = members.join_and_die(), members.join()
    dead.reserve(3)
    dead.attempt(1)
    dead.recorder.start(delivery_stream(CAMPAIGN, 1).bytes, 1, 2, SERVER)
    dead.attempt(2)
    dead.recorder.start(delivery_stream(CAMPAIGN, 2).bytes, 3, 1, SERVER)
    dead.recorder.close()
    assert alive.recover() == 2
    assert counts(pool) == {"unknown": 2, "queued": 8}


def test_those_who_share_its_host_are_left_to_end_what_a_dead_one_left_open(
    members: Members, pool: Pool
) -> None:
    """They have its record; after its time of silence others go on without."""
    elsewhere, here = members.join(host="elsewhere", pid=1), members.join()
    elsewhere.reserve(1)
    elsewhere.start(1)
    with pool.transaction() as cursor:
        processors.fence(cursor, elsewhere.number)
    assert here.recover() == 0
    aged(pool, elsewhere, 31)
    assert here.recover() == 1
    assert counts(pool) == {"unknown": 1, "queued": 9}


def test_what_is_unknown_in_a_cancelled_campaign_is_not_sent_again(members: Members, pool: Pool) -> None:
    dead, alive = members.join_and_die(), members.join()
    dead.reserve(2)
    for recipient in (1, 2):
        slot = dead.start(recipient)
    dead.recorder.dot_sent(slot)
    dead.recorder.close()
    Postledger(factory=LogFactory(pool=pool)).cancel(CAMPAIGN, by="test")
    alive.recover(resend_unknown=True)
    assert counts(pool) == {"unknown": 1, "cancelled": 9}


def test_an_e_mail_that_kills_every_processor_is_not_sent_for_ever(members: Members, pool: Pool) -> None:
    alive = members.join()
    attempts = 0
    while counts(pool).get("queued") == 10:
        attempts += 1
        dead = members.join_and_die()
        dead.recorder.dot_sent(dead.start(1, version=3 * attempts - 2, reservation=attempts))
        dead.recorder.close()
        alive.recover(resend_unknown=True)
        assert attempts <= SendingPolicy().retry_attempts
    assert counts(pool) == {"unknown": 1, "queued": 9}


def test_lost_connections_count_with_the_kills(members: Members, pool: Pool) -> None:
    """Its own processor records a lost connection, recovery a kill; the limit is one."""
    alive, attempts = members.join(), 0
    stream = delivery_stream(CAMPAIGN, 1)
    while counts(pool).get("queued") == 10:
        attempts += 1
        version, dead = 3 * attempts - 2, members.join_and_die()
        slot = dead.start(1, version=version, reservation=attempts)
        if attempts % 2:
            dead.say(
                OutcomeUnknown(
                    originator_id=stream, originator_version=version + 1, by=dead.by, server=SERVER,
                    reason="connection reset",
                ),
                Requeued(
                    originator_id=stream, originator_version=version + 2, by=dead.by, reason=BY_POLICY,
                    again=1.0,
                ),
            )  # fmt: skip
            dead.recorder.release(slot)
        else:
            dead.recorder.dot_sent(slot)
        dead.recorder.close()
        alive.recover(resend_unknown=True)
        assert attempts <= SendingPolicy().retry_attempts
    assert counts(pool) == {"unknown": 1, "queued": 9}


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
