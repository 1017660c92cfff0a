"""Clocks that differ or are set, and processes that stand still: limits, days and a pause hold all the same.

The sinks count by the real time, or by the database's where that is another one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from application.campaigns.previews import CampaignMessages
from domain.clock import SystemClock
from domain.server.availability import Closed, Reason
from postledger.sink.sink import Sink
from projections.availability import sending_state
from tests.pulse import Soon
from tests.sending.hosts import DatabaseHost, Host
from tests.sending.ledger import events
from tests.sending.world import ROOT, MovingClock, World, wait_until

LATENCY = 0.02
SOON = 1.0
RATE, WINDOW = 6, 3
DAILY = 30
IN_TIME = 120.0


@pytest.fixture
def database_host(database_url: str) -> Iterator[DatabaseHost]:
    made = DatabaseHost(database_url)
    yield made
    made.close()


def rolling(world: World, sink: Sink) -> int:
    return world.add_server(
        "rolling", sink, sliding_window=True, sliding_window_rate=RATE, sliding_window_duration=WINDOW
    )


def most_in_any_stretch(sink: Sink) -> int:
    """The most attempts (MAIL FROM) that the sink got in any half-open stretch of the window."""
    times = sorted(at for at, _ in sink.attempts)
    return max((bisect_left(times, start + WINDOW) - n for n, start in enumerate(times)), default=0)


def wait_for_more(sink: Sink, count: int = 2 * RATE) -> None:
    least = len(sink.attempts) + count
    wait_until(lambda: len(sink.attempts) >= least)


def time_to_be_at_work() -> float:
    """Seconds in which two processors have started and sent what a day allows, as busy as the machine is."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import postledger.serving.processing"], cwd=ROOT, check=True)
    return 6.0 + 6.0 * (time.monotonic() - began)


@pytest.mark.parametrize("apart", [2.0, 120.0])
def test_hosts_whose_clocks_differ_exceed_no_limit(
    world: World, database_host: DatabaseHost, tmp_path: Path, apart: float
) -> None:
    """Across a midnight of the database: before it one day's limit, after it another."""
    to_midnight = time_to_be_at_work()
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    ahead = (midnight - now).total_seconds() - to_midnight
    database_host.set_ahead(ahead)
    world.change_policy(timezone="UTC", poll_interval=1)
    world.add_people(400)
    with ExitStack() as stack:
        daily, limited = [
            stack.enter_context(Sink(latency=LATENCY, now=lambda: time.time() + ahead)) for _ in range(2)
        ]
        world.add_server("daily", daily, daily_limit=DAILY)
        rolling(world, limited)
        world.create_and_start()
        for host in (Host(tmp_path, ahead), Host(tmp_path, ahead + apart)):
            stack.enter_context(world.processor(host=host))
        wait_until(lambda: len(daily.attempts) >= 2 * DAILY, to_midnight + IN_TIME)
        wait_for_more(limited)
    before = sum(at < midnight.timestamp() for at, _ in daily.attempts)
    assert (before, len(daily.attempts) - before) == (DAILY, DAILY)
    assert most_in_any_stretch(limited) <= RATE


def test_a_host_whose_clock_is_set_ahead_and_back_goes_on_as_if_it_had_not_been(
    world: World, tmp_path: Path
) -> None:
    world.add_people(200)
    host = Host(tmp_path)
    with Sink(latency=LATENCY) as sink:
        rolling(world, sink)
        world.create_and_start()
        with world.processor(host=host):
            wait_for_more(sink)
            host.set_ahead(3600.0)
            wait_for_more(sink)
            host.set_ahead(0.0)
            wait_for_more(sink)
        assert most_in_any_stretch(sink) <= RATE


def test_after_the_databases_clock_was_set_ahead_and_back_sending_goes_on_within_seconds(
    world: World, database_host: DatabaseHost
) -> None:
    """With a new processor, too, which knows nothing but the log."""
    world.add_people(200)
    with Sink(latency=LATENCY) as sink:
        rolling(world, sink)
        world.create_and_start()
        with world.processor():
            wait_for_more(sink)
            database_host.set_ahead(3600.0)
            wait_for_more(sink)
            database_host.set_ahead(0.0)
            was_set_at = time.time()
            wait_for_more(sink)
            assert most_in_any_stretch_since(sink, was_set_at) <= RATE
        database_host.set_ahead(3600.0)
        with world.processor():
            wait_for_more(sink)
        database_host.set_ahead(0.0)
        with world.processor():
            wait_for_more(sink)


def most_in_any_stretch_since(sink: Sink, since: float) -> int:
    times = sorted(at for at, _ in sink.attempts if at > since)
    return max((bisect_left(times, start + WINDOW) - n for n, start in enumerate(times)), default=0)


def test_a_process_that_stood_still_starts_nothing_that_was_forbidden_meanwhile(
    world: World, soon: Soon
) -> None:
    world.add_people(600)
    with Sink(latency=LATENCY) as sink:
        world.add_server("alpha", sink, max_conns=10)
        campaign = world.create_and_start()
        with world.processor() as process:
            for _ in range(3):
                wait_for_more(sink, 40)
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED)
                world.application.pause(campaign, by="test")
                paused_at = time.time()
                wait_until(lambda since=paused_at: time.time() > since + 3)  # type: ignore[misc]
                process.send_signal(signal.SIGCONT)
                wait_until(lambda: "sending" not in world.counts())
                another = f"Others {paused_at}"
                world.add_people(1, another)
                world.wait_for(world.create_and_start(another))
                late = [received for received in sink.messages if received.mail_at > soon(paused_at)]
                assert [received for received in late if campaign_of(received.message_id) == campaign] == []
                world.application.resume(campaign, by="test")
    assert not sink.duplicates()


def campaign_of(message_id: str) -> int:
    return int(message_id.strip("<").partition(".")[0].removeprefix("c"))


@pytest.mark.parametrize(
    "lowered",
    [
        {"daily_limit": 1},
        {"sliding_window": True, "sliding_window_rate": 1, "sliding_window_duration": 3600},
    ],
)
def test_a_lowered_limit_is_in_force_within_a_second(
    world: World, lowered: dict[str, object], soon: Soon
) -> None:
    """Although units that were reserved under the old one would have lasted for two seconds more."""
    world.add_people(300)
    with Sink(latency=1.0) as sink:
        alpha = world.add_server("alpha", sink, max_conns=10, daily_limit=1000)
        world.create_and_start()
        with world.sending():
            wait_for_more(sink, 40)
            world.application.change_server(alpha, lowered, by="test")
            changed_at = time.time()
            wait_until(lambda: time.time() > changed_at + 3 * SOON and "sending" not in world.counts())
        assert max(at for at, _ in sink.attempts) < soon(changed_at)


@pytest.mark.parametrize("ahead", [120.0, 86_400.0])
def test_test_emails_are_reserved_by_the_databases_clock_and_day(database_url: str, ahead: float) -> None:
    world = World(database_url, SystemClock(host=lambda: time.time() + ahead))
    world.add_people(1)
    with Sink() as sink:
        world.add_server("alpha", sink, daily_limit=2)
        messages, campaign = CampaignMessages(world.installation), world.create()
        world.runner.catch_up()
        for address in ("a@example.org", "b@example.org", "c@example.org"):
            messages.send_test(messages.draft(campaign), [address], None, by="test")
        assert len(sink.attempts) == 2
    reserved = [event.state for event in events(world.pool) if event.topic == "capacity.reserved"]
    assert len(reserved) == 2
    for state in reserved:
        assert abs(state["until"] - time.time()) < IN_TIME / 2
    world.close()


class DoubtfulClock(MovingClock):
    """One that can stop to be trusted, as when the database answers too slowly to know what time it is."""

    is_doubtful = False

    def latest(self) -> float:
        return float("inf") if self.is_doubtful else self.seconds()

    def is_trusted(self) -> bool:
        return not self.is_doubtful


def test_nothing_starts_while_nobody_knows_what_time_it_is(
    database_url: str, caplog: pytest.LogCaptureFixture, soon: Soon
) -> None:
    clock = DoubtfulClock()
    world = World(database_url, clock)
    world.add_people(400)
    with Sink(latency=LATENCY) as sink:
        world.add_server("alpha", sink)
        campaign = world.create_and_start()
        with world.sending():
            wait_for_more(sink, 40)
            clock.is_doubtful = True
            since = time.time()
            wait_until(lambda: time.time() > since + 2 * SOON)
            assert max(at for at, _ in sink.attempts) < soon(since)
            assert "nothing is sent: the database answers too slowly" in caplog.text
            with world.pool.transaction() as cursor:
                held = sending_state(cursor, world.application.policy()).held()
            assert held == Closed(Reason.CLOCK_NOT_TRUSTED)
            clock.is_doubtful = False
            world.wait_for(campaign)
        assert "sending goes on" in caplog.text
    assert world.counts() == {"sent": 400}
    world.close()
