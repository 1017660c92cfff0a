"""The database of `postledger serve`: watched, and started again when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType

from postledger.config import Config
from postledger.session import Database, own_database_folder
from storage.postgres.embedded import EmbeddedServer, EmbeddedServerError

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""One that runs for so long is started again at once when it ends, not after the pause of the last time."""


class KeptDatabase:
    """`database` is the configured one, which others look after, or that of our own server, which runs until
    the end of the block. Raises EmbeddedServerError when it does not start."""

    def __init__(self, config: Config, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        configured = Database.configured(config)
        self._own = None if configured else EmbeddedServer(own_database_folder(config))
        self._next_look = 0.0
        self._started_at = 0.0
        self._pause = 0.0
        self.database = configured or Database("", "")

    def __enter__(self) -> KeptDatabase:
        if self._own is not None:
            self._own.start()
            self.database = Database.of(self._own)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.close()

    def look_after(self) -> None:
        """Starts the server again if it has ended, for as long as that takes: a disk that is full is emptied,
        and nobody should have to start anything else then. Each time in a row after a longer pause."""
        now = self._monotonic()
        if self._own is None or now < self._next_look:
            return
        if self._own.is_alive():
            self._next_look = now + LOOK_SECONDS
            if now >= self._started_at + STEADY_SECONDS:
                self._pause = 0.0
            return
        self._pause = min(max(LOOK_SECONDS, 2 * self._pause), LONGEST_PAUSE_SECONDS)
        self._start_again(self._own)
        self._started_at = self._monotonic()
        self._next_look = self._started_at + self._pause

    def _start_again(self, server: EmbeddedServer) -> None:
        place = server.folder / "server.log"
        log.error("the database server has ended: starting it again (see %s)", place)
        try:
            server.close()
            server.start()
            if server.url != self.database.owner_url:
                server.close()
                raise EmbeddedServerError("another program has taken its port")
        except (EmbeddedServerError, OSError) as error:
            log.error("the database server does not start, next try in %.0f s: %s", self._pause, error)
        else:
            log.warning("the database server runs again")
