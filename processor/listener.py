"""Listens to what other processes write: LISTEN on the log's and the directory's channels."""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Callable

import psycopg2

from domain.clock import Clock
from storage.people import directory_news
from storage.postgres.outage import OUTAGE
from storage.postgres.pool import open_connection
from storage.shared_clock import set_by_database

log = logging.getLogger(__name__)

LOG_CHANNEL = "postledger_log"

RECONNECT_SECONDS = 1.0
BEAT_SECONDS = 0.25


class Listener:
    """Calls from its own thread `on_directory(recipient or None)`, and, while the database answers, every
    BEAT_SECONDS and after each notification `on_beat(since)`: all news from before that epoch second has
    come. When some of it is of the log, `on_log()` follows. Sets the clock by the database's each time.

    After a lost connection all are called once, since notifications may have been missed.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        on_log: Callable[[], None],
        on_directory: Callable[[int | None], None],
        on_beat: Callable[[float], None],
    ) -> None:
        self._url = url
        self._clock = clock
        self._on_log = on_log
        self._on_directory = on_directory
        self._on_beat = on_beat
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listen", daemon=True)
        self.crashed: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def is_running(self) -> bool:
        """False before the start, after the stop, and when a defect has ended the thread."""
        return self._thread.is_alive()

    def stop(self) -> None:
        self._is_stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        try:
            self._keep_listening()
        except BaseException as error:
            self.crashed = error
            raise

    def _keep_listening(self) -> None:
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
            is_log_news = True
            while not self._is_stopping.is_set():
                self._beat(connection, is_log_news)
                is_log_news = False
                select.select([connection], [], [], BEAT_SECONDS)
        finally:
            connection.close()

    def _beat(self, connection: psycopg2.extensions.connection, is_log_news: bool) -> None:
        with connection.cursor() as cursor:
            since = self._clock.earliest()
            jump = set_by_database(self._clock, cursor)
        if jump:
            log.warning("the database's clock was set by %+.3f s, or this machine stood still", jump)
        is_log_news |= self._hand_on(connection)
        self._on_beat(since)
        if is_log_news:
            self._on_log()

    def _hand_on(self, connection: psycopg2.extensions.connection) -> bool:
        """Whether any of the notifications is of the log; what is of the directory is told."""
        is_log_news = False
        while connection.notifies:
            notice = connection.notifies.pop(0)
            if notice.channel == LOG_CHANNEL:
                is_log_news = True
            else:
                self._on_directory(directory_news.recipient_of(notice.payload))
        return is_log_news
