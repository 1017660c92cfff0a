"""Four processors on one database, and servers with tight limits. What the sinks saw decides."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from application.queue.deliveries import described
from postledger.sink.sink import Sink
from projections.queue.items import WantedItems, items
from tests.sending import ledger
from tests.sending.world import World, wait_until

PROCESSORS = 4


class Limited(NamedTuple):
    name: str
    daily: int
    rolling: tuple[int, int] | None


SERVERS = (
    Limited("alpha", 40, (15, 3)),
    Limited("beta", 25, (10, 2)),
    Limited("gamma", 55, None),
    Limited("delta", 30, (20, 5)),
)
IN_TIME = 150.0
"""Seconds. A unit whose attempt was recorded and could not begin in time counts in its window all the same,
so on a loaded machine a server may have to wait for the next."""

CAPACITY = sum(server.daily for server in SERVERS)


@pytest.fixture
def sinks(world: World) -> Any:
    """By server's name; the servers are known to the world. It is about noon there, so no day ends."""
    hours_to_noon = 12 - datetime.now(UTC).hour
    world.change_policy(timezone=f"Etc/GMT{-hours_to_noon:+d}", poll_interval=1)
    with ExitStack() as stack:
        made = {}
        for server in SERVERS:
            made[server.name] = sink = stack.enter_context(Sink(latency=0.005))
            settings: dict[str, Any] = {"daily_limit": server.daily, "max_conns": 3}
            if server.rolling:
                rate, seconds = server.rolling
                settings |= {
                    "sliding_window": True,
                    "sliding_window_rate": rate,
                    "sliding_window_duration": seconds,
                }
            world.add_server(server.name, sink, **settings)
        yield made


def test_all_limits_hold_and_all_capacity_is_used(world: World, sinks: dict[str, Sink]) -> None:
    people = world.add_people(CAPACITY + 20)
    campaign = world.create_and_start()
    with ExitStack() as stack:
        for _ in range(PROCESSORS):
            stack.enter_context(world.processor())
        wait_until(lambda: sum(len(sink.messages) for sink in sinks.values()) >= CAPACITY, IN_TIME)
        wait_until(lambda: world.counts() == {"sent": CAPACITY, "queued": 20}, IN_TIME)
        found_reasons = reasons(world, campaign)
    for server in SERVERS:
        assert len(sinks[server.name].attempts) == server.daily
        if server.rolling:
            assert most_in_any_stretch(sinks[server.name], server.rolling[1]) <= server.rolling[0]
    assert not duplicates(sinks)
    assert world.counts() == {"sent": CAPACITY, "queued": len(people) - CAPACITY}
    assert found_reasons == {"all servers: daily limit reached"}
    all_units_are_accounted_for(world)


def test_what_capacity_allows_is_sent_by_many_as_by_one(world: World, sinks: dict[str, Sink]) -> None:
    world.add_people(CAPACITY - 30)
    campaign = world.create_and_start()
    with ExitStack() as stack:
        for _ in range(PROCESSORS):
            stack.enter_context(world.processor())
        world.wait_for(campaign, timeout=IN_TIME)
    assert world.counts() == {"sent": CAPACITY - 30}
    assert not duplicates(sinks)
    for server in SERVERS:
        assert len(sinks[server.name].attempts) <= server.daily
        if server.rolling:
            assert most_in_any_stretch(sinks[server.name], server.rolling[1]) <= server.rolling[0]
    all_units_are_accounted_for(world)


def all_units_are_accounted_for(world: World) -> None:
    found = ledger.events(world.pool)
    assert ledger.left_open(found) == []
    assert ledger.returned_twice(found) == []
    for units in ledger.units(found).values():
        assert units.reserved - units.unused == units.used


def most_in_any_stretch(sink: Sink, seconds: float) -> int:
    """The most attempts (MAIL FROM) that the sink got in any half-open stretch of so many seconds."""
    times = sorted(at for at, _ in sink.attempts)
    return max((bisect_left(times, start + seconds) - n for n, start in enumerate(times)), default=0)


def duplicates(sinks: dict[str, Sink]) -> list[str]:
    everything = [message.delivery for sink in sinks.values() for message in sink.messages]
    return sorted({delivery for delivery in everything if everything.count(delivery) > 1})


def reasons(world: World, campaign: int) -> set[str]:
    """Why those wait that wait, without until when."""
    with world.pool.transaction() as cursor:
        waiting, _ = items(cursor, WantedItems(campaign=campaign, statuses=(0,)), 0, 1000)
        deliveries = described(cursor, waiting, world.clock.now())
    return {str(one.waiting).partition(" until ")[0] for one in deliveries}
