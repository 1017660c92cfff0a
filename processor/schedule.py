"""The clock of a processor: APScheduler, each job one instance at a time, no run missed for lateness."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from storage.outage import OUTAGE

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
"""When a job that the database was away for runs again."""

# A wake-up for a job that is running is no problem worth a line: the job looks again before it ends.
logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
logging.getLogger("apscheduler.executors.default").setLevel(logging.ERROR)


class Schedule:
    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._changed = threading.Condition()
        self._running = 0
        self._is_stopped = False

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
        except OUTAGE as error:
            log.warning("%s: waits for the database: %s", name, str(error).strip())
            self.next_in(name, AGAIN_SECONDS)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def start(self) -> None:
        self._scheduler.start()

    def now(self, name: str) -> None:
        self.next_in(name, 0.0)

    def next_in(self, name: str, seconds: float) -> None:
        """Brings the next run of a job forward (or puts it off); its interval counts from there."""
        with suppress(JobLookupError):  # not started yet, or stopped
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC) + timedelta(seconds=seconds))

    def stop(self) -> None:
        """Waits for running jobs. Not by APScheduler's own means: it holds a lock meanwhile that a job needs
        to say when it wants to run next."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        with self._changed:
            self._is_stopped = True
            self._changed.wait_for(lambda: not self._running)
