"""A server that falls silent holds what it was asked, and nothing that another server could send."""

from __future__ import annotations

import pytest

from postledger.sink.rules import SinkRule, Step
from postledger.sink.sink import Sink
from processor import processor as module
from processor.dispatch.connection_pool import CONNECTIONS_AT_FIRST
from tests.pulse import Soon
from tests.sending.world import World, wait_until

CONNECTIONS = 5
FOR_EVER = 36_000.0
PEOPLE = 2000


@pytest.mark.parametrize("step", ["rcpt", "dot"])
def test_what_it_was_to_send_next_goes_through_another_server(
    world: World, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been quick for a while, so that many wait for it when it stops to answer."""
    monkeypatch.setattr(module, "DRAIN_SECONDS", 1.0)
    silent = (SinkRule(step, times=300), SinkRule(step, delay=FOR_EVER))
    with Sink(rules=silent) as first, Sink(latency=0.005) as second:
        world.add_server("alpha", first, max_conns=CONNECTIONS, daily_limit=100_000)
        world.add_server("beta", second, max_conns=CONNECTIONS, daily_limit=50_000)
        world.add_people(PEOPLE)
        world.create_and_start()
        with world.sending():
            wait_until(lambda: first.occasions.times_used(1) == CONNECTIONS)
            wait_until(lambda: world.counts() == {"sent": PEOPLE - CONNECTIONS, "sending": CONNECTIONS})
            assert len(first.attempts) == 300 + CONNECTIONS
    assert not first.duplicates()
    assert not second.duplicates()


def test_it_is_used_again_when_it_goes_on(world: World) -> None:
    pause = (SinkRule("dot", times=300), SinkRule("dot", delay=4.0, times=CONNECTIONS))
    with Sink(rules=pause) as sink:
        world.add_server("alpha", sink, max_conns=CONNECTIONS)
        world.add_people(PEOPLE)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: sink.occasions.times_used(1) == CONNECTIONS)
            world.wait_for(campaign)
        assert len(sink.messages) == PEOPLE
        assert not sink.duplicates()
        assert sink.connections == CONNECTIONS
    assert world.counts() == {"sent": PEOPLE}


def test_a_slow_server_has_all_its_connections_at_work(world: World, soon: Soon) -> None:
    """Each e-mail takes longer than anything may wait for a connection."""
    seconds, rounds = 2.5, 4
    with Sink(rules=(SinkRule("dot", delay=seconds),)) as sink:
        world.add_server("alpha", sink, max_conns=CONNECTIONS)
        world.add_people(CONNECTIONS_AT_FIRST + rounds * CONNECTIONS)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
        starts = [at for at, _ in sink.attempts]
    assert max(starts) < soon(min(starts), 1.25 * rounds * seconds), "four connections need a round more"
