"""Connections that are lost, fall silent or were closed meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from application.queue.queue import Queue
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.sending.servers.trouble import NOON, attempts_counted, send_everything, told
from tests.sending.world import MovingClock, World, wait_until
from tests.smtp.scripted import Act, ScriptedServer

WAITED_FOR = """
    SELECT ended.recorded_at - began.recorded_at
    FROM events began JOIN events ended ON ended.stream_id = began.stream_id AND ended.version = 2
    WHERE began.version = 1 AND began.topic = 'delivery.attempt_started'
"""


def test_a_connection_lost_within_a_message_costs_an_attempt_and_makes_no_double(world: World) -> None:
    with Sink(rules=(SinkRule("data", drop=True, times=1),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(5)
        send_everything(world)
        assert len(sink.messages) == 5
        assert not sink.duplicates()
    (deferred,) = told(world.pool, "delivery.deferred")
    assert deferred.state["about"] == "network"
    assert sorted(attempts_counted(world)) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("keeps", [True, False], ids=["it was kept", "it was not kept"])
def test_a_connection_lost_after_the_message_leaves_an_unknown_outcome(world: World, keeps: bool) -> None:
    with Sink(rules=(SinkRule("dot", drop=True, times=1, keeps=keeps),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(5)
        send_everything(world)
        assert len(sink.attempts) == 5
        assert len(sink.messages) == 4 + keeps
        assert not sink.duplicates()
    assert world.counts() == {"sent": 4, "unknown": 1}


def test_a_server_that_hangs_up_within_each_message_rests_before_it_has_used_up_attempts(
    world: World,
) -> None:
    with Sink(rules=(SinkRule("data", drop=True),)) as first, Sink() as second:
        alpha = world.add_server("alpha", first, daily_limit=1000, max_conns=1)
        world.add_server("beta", second, daily_limit=100)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(50)
        send_everything(world)
        assert len(first.attempts) == 5
        assert len(second.messages) == 50
    suspension = world.application.server(alpha).suspension
    assert suspension is not None
    assert suspension.reason == "the server closed the connection"
    assert sorted(attempts_counted(world)) == [1] * 45 + [2] * 5


def test_a_server_that_hangs_up_after_each_message_rests_before_it_leaves_all_unknown(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True),)) as sink:
        alpha = world.add_server("alpha", sink, max_conns=1)
        world.add_people(50)
        world.create_and_start()
        with world.sending():
            wait_until(lambda: world.application.server(alpha).suspension)
            wait_until(lambda: world.counts() == {"unknown": 5, "queued": 45})
        assert len(sink.attempts) == 5


def test_breaks_with_answers_in_between_are_no_trouble_of_the_server(world: World) -> None:
    fragile = tuple(SinkRule("data", drop=True, recipient=f"p{n}@", times=1) for n in range(0, 50, 4))
    with Sink(rules=fragile) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(50)
        send_everything(world)
        assert len(sink.messages) == 50
    assert len(told(world.pool, "delivery.deferred")) > 5
    assert not told(world.pool, "server.suspended")


def test_an_unknown_outcome_is_sent_again_where_the_policy_says_so(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True, times=2, recipient="p1@", keeps=True),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1, resend_unknown=True)
        world.add_people(5)
        send_everything(world)
        (copies,) = sink.duplicates().values()
        assert copies == 2, "the copies are known by their Message-ID"
    assert [event.state["reason"] for event in told(world.pool, "delivery.requeued")] == ["policy", "policy"]
    assert world.counts() == {"sent": 5}


def test_sending_again_by_policy_has_an_end(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(
            poll_interval=1, retry_first=1, retry_cap=1, retry_attempts=2, resend_unknown=True
        )
        world.add_people(1)
        send_everything(world)
        assert len(sink.attempts) == 2
    assert world.counts() == {"unknown": 1}


def test_after_a_retry_by_hand_it_is_sent_again_by_policy_as_before(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(
            poll_interval=1, retry_first=1, retry_cap=1, retry_attempts=2, resend_unknown=True
        )
        (person,) = world.add_people(1)
        campaign = send_everything(world)
        assert len(sink.attempts) == 2
        Queue(world.installation).step_in("retry", campaign << 32 | person, by="test", reason="policy")
        with world.sending():
            wait_until(lambda: len(sink.attempts) == 4 and world.counts() == {"unknown": 1})
    authors = [event.state["by"] for event in told(world.pool, "delivery.requeued")]
    assert authors == ["processor:1", "test", "processor:2"]


@pytest.mark.parametrize(
    ("step", "patience", "counts"),
    [("rcpt", 300, {"sent": 1}), ("data", 120, {"sent": 1}), ("dot", 600, {"unknown": 1})],
)
def test_a_server_that_falls_silent_is_not_waited_for_longer_than_the_standard_says(
    database_url: str, step: Any, patience: float, counts: dict[str, int]
) -> None:
    clock = MovingClock(NOON)
    world = World(database_url, clock)
    with Sink(rules=(SinkRule(step, delay=36_000, times=1),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: sink.occasions.times_used())
            clock.advance_to(clock.now() + timedelta(seconds=patience - 60))
            wait_until(lambda: world.counts() == {"sending": 1})
            clock.advance_to(clock.now() + timedelta(seconds=61))
            wait_until(lambda: "sending" not in world.counts())
            clock.advance_to(clock.now() + timedelta(seconds=61))
            world.wait_for(campaign)
        assert len(sink.messages) == 1
    assert world.counts() == counts
    with world.pool.transaction() as cursor:
        cursor.execute(WAITED_FOR)
        (waited,) = cursor.fetchone() or (None,)
    assert waited.total_seconds() >= patience
    world.close()


def test_idle_connections_are_closed_in_time(world: World) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink, idle_timeout=1)
        world.add_people(5)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
            wait_until(lambda: sink.open_connections == 0)


def test_connections_that_the_server_closed_meanwhile_cost_nothing(world: World) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink, idle_timeout=600)
        world.add_people(5)
        first = world.create_and_start()
        with world.sending():
            world.wait_for(first)
            assert sink.open_connections
            sink.hang_up()
            world.wait_for(world.create_and_start())
        assert len(sink.messages) == 10
    assert attempts_counted(world) == [1] * 10
    assert {event.state["about"] for event in told(world.pool, "delivery.deferred")} <= {"server"}
    assert not told(world.pool, "server.suspended")


def test_a_server_that_gives_up_a_used_connection_is_called_anew_and_does_not_rest(world: World) -> None:
    farewell = Act(b"421 4.4.2 idle for too long\r\n", "hang up")
    with ScriptedServer({"mail": [Act(), farewell, Act(), Act()]}) as server:
        world.add_server("alpha", server.port, max_conns=1)
        world.add_people(3)
        send_everything(world)
        assert len(server.bodies) == 3
    assert attempts_counted(world) == [1] * 3
    assert not told(world.pool, "server.suspended")
