"""Following the log: what is there, then what comes, woken by NOTIFY."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from threading import Thread
from typing import Any

import psycopg2
from eventsourcing.persistence import (
    ApplicationRecorder,
    InterfaceError,
    ListenNotifySubscription,
    OperationalError,
)
from psycopg2.extensions import connection

from storage.postgres.pool import Pool

CHANNEL = "postledger_log"

_PAUSE = 1.0


class LogSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """Yields the events after position `gt` in order, each once, and waits for more. A connection that
    breaks is replaced, and nothing is missed, since events are read from the table by their positions."""

    def __init__(
        self, recorder: ApplicationRecorder, pool: Pool, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        self._pool = pool
        # Listening begins before the first reading, or what is committed in between would be missed.
        self._listening: connection | None = self._listen()
        self._stopping, self._wake = socket.socketpair()
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._listen_thread = Thread(target=self._loop_on_listen, name="log-subscription")
        self._listen_thread.start()

    def stop(self) -> None:
        is_first = not self._has_been_stopped
        super().stop()
        if is_first:
            self._wake.send(b".")

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._listen_thread.join()
            self._wake.close()
            self._stopping.close()

    def _pull(self) -> None:
        """In the reader's thread; a reading that broke off is done again, after a moment."""
        try:
            super()._pull()
        except (InterfaceError, OperationalError):
            select.select([self._stopping], [], [], _PAUSE)
            self._has_been_notified.set()

    def _listen(self) -> connection:
        opened = self._pool.open()
        opened.autocommit = True
        with opened.cursor() as cur:
            cur.execute(f"LISTEN {CHANNEL}")
        return opened

    def _loop_on_listen(self) -> None:
        try:
            while not self._has_been_stopped:
                self._wait_for_notification()
        finally:
            if self._listening is not None:
                self._listening.close()

    def _wait_for_notification(self) -> None:
        try:
            if self._listening is None:
                self._listening = self._listen()
                self._has_been_notified.set()
            poller = select.poll()
            poller.register(self._listening, select.POLLIN)
            poller.register(self._stopping, select.POLLIN)
            poller.poll()
            self._listening.poll()
            if self._listening.notifies:
                self._listening.notifies.clear()
                self._has_been_notified.set()
        except psycopg2.Error:
            if self._listening is not None:
                self._listening.close()
                self._listening = None
                return
            select.select([self._stopping], [], [], _PAUSE)
