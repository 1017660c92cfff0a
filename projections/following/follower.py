"""A thread that keeps the projections at the end of the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import psycopg2

from projections.following.runner import Runner
from storage.postgres.pool import PoolTimeout

log = logging.getLogger(__name__)

PAUSE = 0.1
LONG_PAUSE = 0.5
MANY = 1000
"""Seconds between batches while mail is sent, the long one after a batch of MANY events. A batch costs the
database some 20 statements, and an attempt whose outcome lies in the same one is written once: where much
is sent, patience leaves more of the machine to the sending."""

IDLE = 1.0
"""Seconds after which to look without being woken: others may have written."""

RECONNECT = 2.0


class Follower:
    """`on_change` is called in the thread, each time that the projections have come further; `on_outage` each
    time that the database keeps them from it, and with None when not. `crashed` has ended the thread."""

    def __init__(
        self,
        runner: Runner,
        on_change: Callable[[], None] | None = None,
        on_outage: Callable[[Exception | None], None] | None = None,
    ) -> None:
        self._runner = runner
        self._on_change = on_change
        self._on_outage = on_outage
        self.crashed: BaseException | None = None
        self._woken = threading.Event()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projections", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, *_: Any) -> None:
        """There is something new in the log. Takes whatever the caller passes on, and never waits."""
        self._woken.set()

    def is_running(self) -> bool:
        """False before the start, after the stop, and when a defect has ended the thread."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Returns when the batch at hand is done."""
        self._is_stopping.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._follow()
        except BaseException as error:
            self.crashed = error
            raise

    def _follow(self) -> None:
        while not self._is_stopping.is_set():
            self._woken.wait(IDLE)
            self._woken.clear()
            try:
                while self._step() and not self._is_stopping.is_set():
                    pass
                self._tell_of(None)
            except (psycopg2.OperationalError, psycopg2.InterfaceError, PoolTimeout) as error:
                self._tell_of(error)
                self._is_stopping.wait(RECONNECT)

    def _tell_of(self, outage: Exception | None) -> None:
        if self._on_outage is not None:
            self._on_outage(outage)
        elif outage is not None:
            log.warning("the projections wait for the database: %s", str(outage).strip())

    def _step(self) -> bool:
        """Whether there may be more."""
        before = self._runner.position
        applied = self._runner.step()
        if self._on_change is not None and self._runner.position > before:
            self._on_change()
        if applied is None or (applied and self._runner.position >= self._runner.head):
            self._is_stopping.wait(LONG_PAUSE if (applied or 0) >= MANY else PAUSE)
        return applied != 0
