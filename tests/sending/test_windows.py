"""Windows, days and rolling limits, as a processor meets them while time goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.clock import SystemClock
from postledger.sink.sink import Sink
from tests.sending.ledger import events
from tests.sending.world import MovingClock, World, wait_until

A_MOMENT = timedelta(seconds=2)


@pytest.fixture
def world_at(database_url: str) -> Iterator[Callable[[datetime], World]]:
    made: list[World] = []

    def make(start: datetime) -> World:
        made.append(World(database_url, MovingClock(start)))
        return made[-1]

    yield make
    for world in made:
        world.close()


def clock_of(world: World) -> MovingClock:
    assert isinstance(world.clock, MovingClock)
    return world.clock


def slow_sink(world: World) -> Sink:
    return Sink(latency=0.05, now=clock_of(world).seconds)


def within(sink: Sink, opens: datetime, closes: datetime) -> int:
    return sum(opens.timestamp() <= at < closes.timestamp() for at, _ in sink.attempts)


def wait_until_past(world: World, instant: datetime) -> None:
    wait_until(lambda: world.clock.now() > instant)


def move_in_mid_campaign(world: World, campaign: int, instant: datetime) -> None:
    """With nothing in flight, which would seem to have waited for its answer all the while."""
    world.application.pause(campaign, by="test")
    in_force = world.clock.now() + timedelta(seconds=1)
    wait_until(lambda: world.clock.now() > in_force and "sending" not in world.counts())
    clock_of(world).advance_to(instant)
    world.application.resume(campaign, by="test")


def test_nothing_goes_out_after_the_window_closes_and_the_rest_when_it_opens_again(
    world_at: Callable[[datetime], World],
) -> None:
    closes = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)
    opens = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
    world = world_at(closes - timedelta(hours=1))
    world.change_policy(windows="08:00-20:00", poll_interval=600)
    world.add_people(100)
    with slow_sink(world) as sink:
        world.add_server("alpha", sink, max_conns=2)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: len(sink.attempts) >= 5)
            move_in_mid_campaign(world, campaign, closes - A_MOMENT)
            wait_until_past(world, closes + A_MOMENT)
            wait_until(lambda: "sending" not in world.counts())
            assert len(sink.attempts) < 100
            clock_of(world).advance_to(opens - A_MOMENT)
            wait_until_past(world, opens)
            assert within(sink, closes, opens) <= 2, "what was under way"
            assert within(sink, closes + timedelta(seconds=1), opens) == 0
            wait_until(lambda: within(sink, opens, opens + timedelta(minutes=1)))
            world.wait_for(campaign)
        assert len(sink.messages) == 100
        assert not sink.duplicates()


def test_a_window_of_the_night_is_open_past_midnight_and_not_in_the_morning(
    world_at: Callable[[datetime], World],
) -> None:
    world = world_at(datetime(2026, 3, 4, 23, 0, tzinfo=UTC))
    midnight, closes = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 5, 6, 0, tzinfo=UTC)
    opens = datetime(2026, 3, 5, 22, 0, tzinfo=UTC)
    world.change_policy(windows="22:00-06:00")
    world.add_people(10)
    with slow_sink(world) as sink:
        world.add_server("alpha", sink)
        with world.sending():
            clock_of(world).advance_to(midnight + timedelta(hours=1))
            world.wait_for(world.create_and_start())
            assert len(sink.messages) == 10
            clock_of(world).advance_to(closes + timedelta(hours=1))
            campaign = world.create_and_start()
            wait_until(lambda: world.counts() == {"sent": 10, "queued": 10})
            clock_of(world).advance_to(opens)
            world.wait_for(campaign)
        assert within(sink, closes, opens) == 0
        assert len(sink.messages) == 20


def test_a_server_of_its_own_hours_leaves_the_rest_to_the_others(
    world_at: Callable[[datetime], World],
) -> None:
    world = world_at(datetime(2026, 3, 4, 12, 0, tzinfo=UTC))
    world.add_people(20)
    with slow_sink(world) as by_night, slow_sink(world) as always:
        world.add_server("alpha", by_night, window="22:00-06:00", daily_limit=1000)
        world.add_server("beta", always, daily_limit=100)
        with world.sending():
            world.wait_for(world.create_and_start())
            assert (len(by_night.messages), len(always.messages)) == (0, 20)
            clock_of(world).advance_to(datetime(2026, 3, 4, 22, 0, tzinfo=UTC))
            world.wait_for(world.create_and_start())
        assert by_night.messages
        assert len(by_night.messages) + len(always.messages) == 40


def test_the_daily_limit_is_new_at_midnight_where_the_policy_is(
    world_at: Callable[[datetime], World],
) -> None:
    midnight = datetime(2026, 3, 5, 5, 0, tzinfo=UTC)  # of New York
    world = world_at(midnight - timedelta(hours=1))
    world.change_policy(timezone="America/New_York", poll_interval=600)
    world.add_people(25)
    with slow_sink(world) as sink:
        world.add_server("alpha", sink, daily_limit=10)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: world.counts() == {"sent": 10, "queued": 15})
            clock_of(world).advance_to(midnight - A_MOMENT)
            wait_until(lambda: world.counts() == {"sent": 20, "queued": 5})
            assert within(sink, midnight - timedelta(hours=1), midnight) == 10
            assert within(sink, midnight, midnight + timedelta(hours=1)) == 10
            clock_of(world).advance_to(midnight + timedelta(days=1) - A_MOMENT)
            world.wait_for(campaign)
        assert within(sink, midnight + timedelta(days=1), midnight + timedelta(days=2)) == 5
    assert world.counts() == {"sent": 25}


def test_a_rolling_limit_lets_the_next_ones_through_as_soon_as_it_has_room(database_url: str) -> None:
    world = World(database_url, SystemClock())
    world.change_policy(poll_interval=600)
    world.add_people(12)
    with Sink() as sink:
        world.add_server("alpha", sink, sliding_window=True, sliding_window_rate=4, sliding_window_duration=2)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
    times = sorted(at for at, _ in sink.attempts)
    assert len(times) == 12
    assert all(later - earlier >= 2 for earlier, later in zip(times, times[4:], strict=False))
    world.close()


def test_what_a_window_cut_off_gives_its_capacity_back(world_at: Callable[[datetime], World]) -> None:
    closes = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)
    world = world_at(closes - timedelta(hours=1))
    world.change_policy(windows="08:00-20:00")
    world.add_people(100)
    with slow_sink(world) as sink:
        world.add_server("alpha", sink, max_conns=2, daily_limit=1000)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: len(sink.attempts) >= 5)
            move_in_mid_campaign(world, campaign, closes - A_MOMENT)
            wait_until_past(world, closes + A_MOMENT)
            wait_until(lambda: "sending" not in world.counts())
    found = events(world.pool)
    reserved = sum(event.state["n"] for event in found if event.topic == "capacity.reserved")
    returned = sum(
        event.state.get("unused", 0) + event.state.get("refused", 0)
        for event in found
        if event.topic == "capacity.returned"
    )
    assert reserved - returned == len(sink.messages)
