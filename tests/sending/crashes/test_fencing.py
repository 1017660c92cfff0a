"""A processor that others took for dead, and that wakes up again, has nothing more to say."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from subprocess import Popen

import pytest

from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.sending import ledger
from tests.sending.world import World, wait_until

PATIENCE = 3.0
CONNECTIONS = 4
IS_FENCED = "SELECT fenced FROM processors WHERE pid = %s"
NUMBER = "SELECT number FROM processors WHERE pid = %s"
SLOW = SinkRule("dot", delay=0.05)


@pytest.fixture
def sinks(world: World) -> Iterator[list[Sink]]:
    """Slow enough that something is in flight on every connection."""
    with ExitStack() as stack:
        made = [stack.enter_context(Sink(rules=(SLOW,))) for _ in range(2)]
        for number, sink in enumerate(made):
            world.add_server(f"server{number}", sink, max_conns=CONNECTIONS, daily_limit=1000)
        yield made


def test_one_that_wakes_up_when_all_is_done_ends_and_changes_nothing(world: World, sinks: list[Sink]) -> None:
    people = world.add_people(400)
    campaign = world.create_and_start()
    with world.processor(patience=PATIENCE, ends=False) as sleeper:
        open_connections = put_to_sleep(world, sinks, sleeper)
        with world.processor(patience=PATIENCE):
            wait_until(lambda: is_fenced(world, sleeper))
            world.wait_for(campaign)
        head, attempts, unknown = ledger.head(world.pool), seen_by(sinks), world.counts().get("unknown", 0)
        assert 0 < unknown <= open_connections
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(30) == 1
    assert ledger.head(world.pool) == head
    assert seen_by(sinks) - attempts <= unknown
    assert world.counts() == {"sent": len(people) - unknown, "unknown": unknown}
    assert not duplicates(sinks)


def test_one_that_wakes_up_in_the_middle_of_the_work_ends_and_leaves_it_to_others(
    world: World, sinks: list[Sink]
) -> None:
    people = world.add_people(700)
    campaign = world.create_and_start()
    with world.processor(patience=PATIENCE, ends=False) as sleeper:
        open_connections = put_to_sleep(world, sinks, sleeper)
        actor = actor_of(world, sleeper)
        with world.processor(patience=PATIENCE):
            wait_until(lambda: is_fenced(world, sleeper))
            head = ledger.head(world.pool)
            sleeper.send_signal(signal.SIGCONT)
            assert sleeper.wait(30) == 1
            assert not [event for event in ledger.events(world.pool, head) if event.state["by"] == actor]
            world.wait_for(campaign)
    found = ledger.events(world.pool)
    unknown = ledger.unknown_of(found)
    assert set(unknown) <= {actor}
    assert unknown.total() <= open_connections
    assert world.counts() == {"sent": len(people) - unknown.total(), "unknown": unknown.total()}
    assert not duplicates(sinks)
    assert ledger.left_open(found) == []
    assert ledger.returned_twice(found) == []


def put_to_sleep(world: World, sinks: list[Sink], process: Popen[bytes]) -> int:
    """Stops the process in the midst of sending; how many connections it has open then."""
    wait_until(lambda: seen_by(sinks) >= 60)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert not is_fenced(world, process)
    return sum(sink.open_connections for sink in sinks)


def is_fenced(world: World, process: Popen[bytes]) -> bool:
    with world.pool.transaction() as cursor:
        cursor.execute(IS_FENCED, (process.pid,))
        return bool(cursor.fetchone()[0])


def actor_of(world: World, process: Popen[bytes]) -> str:
    with world.pool.transaction() as cursor:
        cursor.execute(NUMBER, (process.pid,))
        return f"processor:{cursor.fetchone()[0]}"


def seen_by(sinks: list[Sink]) -> int:
    return sum(len(sink.attempts) for sink in sinks)


def duplicates(sinks: list[Sink]) -> list[str]:
    everything = [message.delivery for sink in sinks for message in sink.messages]
    return sorted({delivery for delivery in everything if everything.count(delivery) > 1})
