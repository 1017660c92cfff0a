"""SIGTERM: no attempt begins any more, those in flight end and are recorded, the rest is given back."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import pytest

from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from processor import processor as module
from tests.pulse import Soon
from tests.sending import ledger
from tests.sending.world import World, wait_until

CONNECTIONS = 4


def test_what_is_in_flight_ends_and_nothing_begins(world: World, soon: Soon) -> None:
    """What starts before the stop is in force counts as in flight all the same."""
    people = world.add_people(1000)
    with ExitStack() as stack:
        sinks = [stack.enter_context(Sink(latency=0.01)) for _ in range(3)]
        for number, sink in enumerate(sinks):
            world.add_server(f"server{number}", sink, max_conns=CONNECTIONS, daily_limit=1000)
        world.create_and_start()
        with world.processor() as process:
            wait_until(lambda: sum(len(sink.attempts) for sink in sinks) >= 150)
            process.terminate()
            asked_at = time.time()
            assert process.wait(60) == 0
        assert max(at for sink in sinks for at, _ in sink.attempts) < soon(asked_at, 0.2)
        arrived = sum(len(sink.messages) for sink in sinks)
        assert world.counts() == {"sent": arrived, "queued": len(people) - arrived}
        everything_was_given_back(world)


def test_a_slow_server_is_waited_for_and_nobody_takes_the_waiting_one_for_dead(world: World) -> None:
    people = world.add_people(40)
    slow = SinkRule("dot", delay=6.0, times=CONNECTIONS)
    with Sink(rules=(slow,)) as sink:
        world.add_server("slow", sink, max_conns=CONNECTIONS)
        campaign = world.create_and_start()
        with world.processor(patience=2.0, ends=False) as process:
            wait_until(lambda: len(sink.messages) == 2)
            with world.processor(patience=2.0):
                process.terminate()
                assert process.wait(60) == 0
                world.wait_for(campaign)
        assert world.counts() == {"sent": len(people)}
        assert len(sink.messages) == len(people)
        assert not sink.duplicates()
        everything_was_given_back(world)


def test_who_does_not_answer_in_time_is_recorded_for_what_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hung up at the envelope: certainly not delivered. Hung up after the dot: nobody knows."""
    monkeypatch.setattr(module, "DRAIN_SECONDS", 1.0)
    world.add_people(2)
    with (
        Sink(rules=(SinkRule("mail", delay=60.0),)) as silent_at_first,
        Sink(rules=(SinkRule("dot", delay=60.0, keeps=True),)) as silent_at_last,
    ):
        sinks = (silent_at_first, silent_at_last)
        for number, sink in enumerate(sinks):
            world.add_server(f"server{number}", sink, max_conns=1, daily_limit=10)
        world.create_and_start()
        with world.sending():
            wait_until(lambda: silent_at_first.attempts and silent_at_last.messages)
        assert world.counts() == {"queued": 1, "unknown": 1}
        everything_was_given_back(world)
        used = {server: units_used(units) for server, units in ledger.units(events_of(world)).items()}
        assert used == {1: 0, 2: 1}


def everything_was_given_back(world: World) -> None:
    found = events_of(world)
    assert ledger.left_open(found) == []
    assert ledger.returned_twice(found) == []
    for units in ledger.units(found).values():
        assert units.reserved - units.unused == units.used


def units_used(units: ledger.Units) -> int:
    return units.reserved - units.unused - units.refused


def events_of(world: World) -> list[Any]:
    return ledger.events(world.pool)
