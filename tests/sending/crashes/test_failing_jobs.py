"""A job that fails again and again is told of wherever people look, and leaves the others working."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.failing_jobs import FailingJob
from domain.policy import PolicyChanged
from domain.server.availability import Reason
from domain.streams import policy_stream
from postledger.sink.sink import Sink
from processor.campaigns import DueCampaigns
from processor.planner.rounds import Rounds
from processor.schedule import Schedule
from projections.availability import nobody_sends, sending_state
from projections.following.follower import Follower
from storage import processors
from storage.log.append import Log
from tests.sending.world import World, wait_until

HASTE = timedelta(seconds=3)
"""So that the heart beats often."""


def failing(world: World) -> list[FailingJob]:
    with world.pool.transaction() as cursor:
        return processors.failing_or_ending(cursor, processors.database_time(cursor))


def why_all_waits(world: World) -> Reason | None:
    with world.pool.transaction() as cursor:
        held = sending_state(cursor, world.application.policy()).held()
    return None if held is None else held.reason


def missed(world: World) -> bool:
    with world.pool.transaction() as cursor:
        nobody = nobody_sends(cursor)
    return nobody is not None and nobody.is_missed


def fail(*_: object) -> None:
    raise ValueError("@".join(["jane", "example.net"]))


def test_planning_that_fails_is_on_record_until_it_works_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(1)
        with monkeypatch.context() as broken:
            broken.setattr(Rounds, "plan", fail)
            campaign = world.create_and_start()
            with world.sending(patience=HASTE):
                (job,) = wait_until(lambda: failing(world))
                assert (job.job, job.error) == ("send", "ValueError")
                assert job.failures >= 3
                assert job.holds_up_all
                broken.undo()
                world.wait_for(campaign)
                wait_until(lambda: not failing(world))
    assert world.counts() == {"sent": 1}
    assert "jane@" not in caplog.text


def test_permissions_that_cannot_be_read_are_on_record_and_permit_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(1)
        with world.sending(patience=HASTE) as processor:
            with monkeypatch.context() as broken:
                broken.setattr(processor._permissions, "refresh", fail)
                campaign = world.create_and_start()
                (job,) = wait_until(lambda: failing(world))
                assert (job.job, job.holds_up_all) == ("permissions", True)
                assert not sink.attempts
            world.wait_for(campaign)
            wait_until(lambda: not failing(world))
    assert world.counts() == {"sent": 1}


def test_queueing_that_fails_leaves_the_sending_of_what_is_queued(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(1)
        world.create_and_start()
        with world.sending():
            wait_until(lambda: sink.messages)
        world.add_people(1, "Others")
        world.change_policy(queue_paused=True)
        world.create_and_start("Others")
        with world.sending():
            wait_until(lambda: world.counts() == {"sent": 1, "queued": 1})
        monkeypatch.setattr(DueCampaigns, "run", fail)
        world.change_policy(queue_paused=False)
        with world.sending(patience=HASTE):
            wait_until(lambda: len(sink.messages) == 2)
            (job,) = wait_until(lambda: failing(world))
    assert job.job == "campaigns"
    assert not job.holds_up_all


def test_an_address_for_links_of_an_earlier_release_goes_on_the_wire_as_it_should(world: World) -> None:
    """HTTPS://… was taken, and made each planning round raise."""
    fact = PolicyChanged(
        originator_id=policy_stream(),
        originator_version=1,
        by="test",
        changes={"public_address": "HTTPS://Post.Example.com"},
    )
    Log(world.pool, world.clock).append([fact.stored()])
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
    assert b"List-Unsubscribe: <https://post.example.com/unsubscribe/" in sink.messages[0].message


def test_starts_that_failed_are_over_once_a_processor_sends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was queued waits for what it waits for, not for them."""
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(1)
        world.change_policy(queue_paused=True)
        world.create_and_start()
        with world.sending():
            wait_until(lambda: world.counts() == {"queued": 1})
        world.change_policy(queue_paused=False)
        with monkeypatch.context() as broken:
            broken.setattr(Schedule, "every", fail)
            for _ in range(3):
                with pytest.raises(ValueError, match="jane"), world.sending():
                    pass
        assert [job.job for job in failing(world)] == ["start"]
        assert why_all_waits(world) is Reason.JOB_FAILING
        assert missed(world)
        with monkeypatch.context() as idle:
            idle.setattr(Rounds, "plan", lambda *_: [])
            with world.sending():
                assert failing(world) == []
                assert why_all_waits(world) is None
                assert not missed(world)
        assert failing(world) == []


def test_one_processor_that_fails_holds_up_no_more_than_its_share(world: World) -> None:
    with Sink(), world.sending(), world.pool.transaction() as cursor:
        now = processors.database_time(cursor)
        other = processors.register(cursor, "elsewhere", 1, now)
        processors.seen(cursor, other, now, [FailingJob("send", 3, "ValueError", now)])
        state = sending_state(cursor, world.application.policy())
    assert state.held() is None
    assert (told := state.failing()) is not None
    assert told.reason is Reason.JOB_FAILING


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_part_that_ends_one_processor_after_the_other_is_on_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Follower, "_step", fail)
    for times in range(3):
        assert not failing(world), times
        with world.sending() as processor:
            assert processor.wait() is False
    (job,) = failing(world)
    assert (job.job, job.failures, job.error) == ("follower", 3, "ValueError")
