"""What a dead processor left open is closed once, by whoever lives."""

from __future__ import annotations

from typing import Any

import pytest

from application.decisions.postledger import Postledger
from domain.delivery.delivery import (
    BY_POLICY,
    Failed,
    OutcomeUnknown,
    Requeued,
)
from domain.policy import SendingPolicy
from domain.streams import delivery_stream
from processor.recovery.recovery import Recovery, host_name
from projections.following.runner import Runner
from storage import processors
from storage.log import LogFactory
from storage.log.committer import Fenced
from storage.postgres.pool import Pool
from tests.processor.recovery.members import (
    CAMPAIGN,
    SERVER,
    Members,
    accepted,
    aged,
    counts,
    refused,
    returns,
    shared_clock,
    steady_for_a_minute,
)

CODES = """
    SELECT topic, (convert_from(state, 'UTF8')::jsonb->>'code')::integer
    FROM events WHERE topic IN ('delivery.accepted', 'delivery.failed') ORDER BY topic
"""


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
        reply="5.1.1 unknown", about="recipient", code=550,
    )  # fmt: skip
    dead.hear(refusal, gone, dot_sent=False)
    dead.recorder.close()
    assert alive.recover() == 4
    assert counts(pool) == {"sent": 1, "failed": 1, "unknown": 1, "queued": 7}
    assert returns(pool) == [(1, 0)]
    assert refused(pool) == [2], "units of attempts that ended before the dot"
    with pool.transaction() as cursor:
        cursor.execute(CODES)
        assert cursor.fetchall() == [("delivery.accepted", 250), ("delivery.failed", 550)]
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
