"""The record of jobs that fail again and again, kept until they succeed; the heartbeat writes it down."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from traceback import format_tb

from domain.failing_jobs import FailingJob
from storage.postgres.outage import OUTAGE

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0


@dataclass
class _Failure:
    began: float
    count: int = 0
    error: str = ""


class Failures:
    """Any thread may use it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures: dict[str, _Failure] = {}

    def failed(self, job: str, error: BaseException) -> float:
        """After how many seconds to try again: later each time."""
        with self._lock:
            failure = self._failures.setdefault(job, _Failure(self._monotonic()))
            failure.count += 1
            failure.error = type(error).__name__
            count = failure.count
        _log(job, error, count)
        return min(2.0 ** min(count - 1, 10), LONGEST_PAUSE)

    def succeeded(self, job: str) -> None:
        if job in self._failures:
            with self._lock:
                self._failures.pop(job, None)

    def note(self, job: str, error: Exception | None) -> None:
        """For who pauses by himself: that it failed, or that it did not."""
        if error is None:
            self.succeeded(job)
        else:
            self.failed(job, error)

    def seen_at(self, now: datetime) -> list[FailingJob]:
        """By the clock that `now` is of, whatever this machine's says."""
        with self._lock:
            return [
                FailingJob(job, one.count, one.error, now - timedelta(seconds=self._monotonic() - one.began))
                for job, one in self._failures.items()
            ]


def _log(job: str, error: BaseException, count: int) -> None:
    """Without the text of a defect, which may quote somebody's data; where it is, for the first time only."""
    if isinstance(error, OUTAGE):
        log.warning("%s: waits for the database: %s", job, str(error).strip())
    elif count > 1:
        log.error("%s failed again, %d times in a row: %s", job, count, type(error).__name__)
    else:
        where = "".join(format_tb(error.__traceback__))
        log.error("%s failed: %s at\n%s", job, type(error).__name__, where)
