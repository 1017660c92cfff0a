"""Jobs: one at a time each, brought forward when there is something to do, and never forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from processor.failures import Failures
from processor.schedule import Schedule

LONG = 3600.0
PATIENCE = 20.0


@pytest.fixture
def schedule() -> Iterator[Schedule]:
    made = Schedule(Failures())
    made.start()
    yield made
    made.stop()


def test_a_job_runs_at_once_and_again_when_it_is_called(schedule: Schedule) -> None:
    runs: list[int] = []
    ran = threading.Semaphore(0)

    def job() -> None:
        runs.append(1)
        ran.release()

    schedule.every("job", LONG, job)
    assert ran.acquire(timeout=PATIENCE)
    schedule.next_in("job", 0.05)
    schedule.next_in("job", LONG)
    assert ran.acquire(timeout=PATIENCE), "it was put off"


def test_a_call_that_comes_while_the_job_runs_is_not_lost(schedule: Schedule) -> None:
    running, may_end, ran = threading.Semaphore(0), threading.Semaphore(0), threading.Semaphore(0)

    def job() -> None:
        running.release()
        may_end.acquire(timeout=PATIENCE)
        ran.release()

    schedule.every("job", LONG, job)
    assert running.acquire(timeout=PATIENCE)
    schedule.now("job")
    assert not running.acquire(timeout=0.5), "one instance at a time"
    may_end.release()
    assert ran.acquire(timeout=PATIENCE)
    assert running.acquire(timeout=PATIENCE)
    may_end.release()
    assert ran.acquire(timeout=PATIENCE)


def test_stopping_waits_for_what_runs_even_when_that_asks_for_its_next_run() -> None:
    schedule = Schedule(Failures())
    running, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    def job() -> None:
        running.set()
        may_end.wait(PATIENCE)
        schedule.next_in("job", 1.0)
        ended.append(True)

    schedule.start()
    schedule.every("job", LONG, job)
    assert running.wait(PATIENCE)
    stopping = threading.Thread(target=schedule.stop)
    stopping.start()
    may_end.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert ended == [True]


def test_a_host_clock_that_is_set_back_puts_no_job_off(
    schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = threading.Semaphore(0)
    schedule.every("job", LONG, ran.release)
    assert ran.acquire(timeout=PATIENCE)
    schedule.keep_pace()
    assert not ran.acquire(timeout=0.2)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    schedule.keep_pace()
    assert ran.acquire(timeout=PATIENCE)
