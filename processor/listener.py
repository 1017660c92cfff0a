"""Listens to what other processes write: LISTEN on the log's and the directory's channels."""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Callable

import psycopg2

from storage.people import directory_news
from storage.postgres.outage import OUTAGE
from storage.postgres.pool import open_connection

log = logging.getLogger(__name__)

LOG_CHANNEL = "postledger_log"

RECONNECT_SECONDS = 1.0


class Listener:
    """Calls `on_log()` and `on_directory(recipient or None)` from its own thread.

    After a lost connection both are called once, since notifications may have been missed.
    """

    def __init__(
        self, url: str, on_log: Callable[[], None], on_directory: Callable[[int | None], None]
    ) -> None:
        self._url = url
        self._on_log = on_log
        self._on_directory = on_directory
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listen", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_running(self) -> bool:
        """False before the start, after the stop, and when a defect has ended the thread."""
        return self._thread.is_alive()

    def stop(self) -> None:
        self._is_stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self._listen()
            except OUTAGE as error:
                log.warning("lost the connection that listens; trying again: %s", str(error).strip())
                self._is_stopping.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        connection = open_connection(self._url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {LOG_CHANNEL}")
                cursor.execute(f"LISTEN {directory_news.CHANNEL}")
            self._on_directory(None)
            self._on_log()
            while not self._is_stopping.is_set():
                if not select.select([connection], [], [], 0.5)[0]:
                    continue
                connection.poll()
                self._hand_on(connection)
        finally:
            connection.close()

    def _hand_on(self, connection: psycopg2.extensions.connection) -> None:
        is_log_news = False
        while connection.notifies:
            notice = connection.notifies.pop(0)
            if notice.channel == LOG_CHANNEL:
                is_log_news = True
            else:
                self._on_directory(directory_news.recipient_of(notice.payload))
        if is_log_news:
            self._on_log()
