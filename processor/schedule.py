"""The clock of a processor: APScheduler, each job one instance at a time, no run missed for lateness."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from domain.clock import SET_SECONDS, steady_seconds
from processor.failures import Failures

log = logging.getLogger(__name__)

RUNNING_SECONDS = 0.2
"""When a job that was to run while it was running runs again: what woke it may have come too late for it."""

# A wake-up for a job that is running is no problem worth a line.
logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
logging.getLogger("apscheduler.executors.default").setLevel(logging.ERROR)


class Schedule:
    """A job that raises runs again soon, later each time that it does so in a row, and is in `failures`."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._scheduler.add_listener(self._was_running, EVENT_JOB_MAX_INSTANCES)
        self._changed = threading.Condition()
        self._bringing_forward = threading.Lock()
        self._running = 0
        self._is_stopped = False
        self._host_ahead = self._host_is_ahead_by()

    def every(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._scheduler.add_job(
            self._run, "interval", (name, action), seconds=seconds, id=name, next_run_time=datetime.now(UTC)
        )

    def _run(self, name: str, action: Callable[[], None]) -> None:
        with self._changed:
            if self._is_stopped:
                return
            self._running += 1
        try:
            action()
        except Exception as error:  # noqa: BLE001  # The other jobs go on, and people are told of this one.
            self.next_in(name, self._failures.failed(name, error))
        else:
            self._failures.succeeded(name)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def start(self) -> None:
        self._scheduler.start()

    def now(self, name: str) -> None:
        self.next_in(name, 0.0)

    def next_in(self, name: str, seconds: float) -> None:
        """Brings the next run of a job forward, never puts it off; its interval counts from there."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        with suppress(JobLookupError), self._bringing_forward:  # not started yet, or stopped
            job = self._scheduler.get_job(name)
            if job is not None and job.next_run_time > at:
                job.modify(next_run_time=at)

    def keep_pace(self) -> None:
        """To be called a few times a second: APScheduler goes by the host's clock, and when that was set
        back, every job would wait until it shows again what it had shown."""
        ahead = self._host_is_ahead_by()
        if abs(ahead - self._host_ahead) >= SET_SECONDS:
            log.warning("this host's clock was set by %+.3f s", ahead - self._host_ahead)
            self._host_ahead = ahead
            for job in self._scheduler.get_jobs():
                self.now(job.id)

    def _host_is_ahead_by(self) -> float:
        return time.time() - steady_seconds()

    def _was_running(self, event: JobSubmissionEvent) -> None:
        self.next_in(event.job_id, RUNNING_SECONDS)

    def stop(self) -> None:
        """Waits for running jobs. Not by APScheduler's own means: it holds a lock meanwhile that a job needs
        to say when it wants to run next."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        with self._changed:
            self._is_stopped = True
            self._changed.wait_for(lambda: not self._running)
