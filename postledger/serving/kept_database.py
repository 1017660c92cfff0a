"""The database of `postledger serve`: watched, and started again when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType

from postledger.config import Config
from postledger.session import own_database_folder
from storage.postgres.embedded import EmbeddedServer, EmbeddedServerError

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
STEADY_SECONDS = 60.0
"""One that ends sooner than this after it was started again has a trouble that starting does not heal."""


class DatabaseGone(EmbeddedServerError):
    """The database cannot be kept running; the text says what to look at."""


class KeptDatabase:
    """`url` is that of the configured database, which others look after, or of our own server, which runs
    until the end of the block. Raises EmbeddedServerError."""

    def __init__(self, config: Config, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._own = None if config.database_url else EmbeddedServer(own_database_folder(config))
        self._next_look = 0.0
        self._restarted_at: float | None = None
        self.url = config.database_url or ""

    def __enter__(self) -> KeptDatabase:
        if self._own is not None:
            self._own.start()
            self.url = self._own.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.close()

    def look_after(self) -> None:
        """Starts the server again if it has ended. Raises DatabaseGone, EmbeddedServerError."""
        now = self._monotonic()
        if self._own is None or now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        if not self._own.is_alive():
            self._start_again(self._own, now)

    def _start_again(self, server: EmbeddedServer, now: float) -> None:
        place = server.folder / "server.log"
        if self._restarted_at is not None and now < self._restarted_at + STEADY_SECONDS:
            raise DatabaseGone(f"the database server ended twice within a minute: see {place}")
        log.error("the database server has ended: starting it again (see %s)", place)
        server.close()
        server.start()
        self._restarted_at = self._monotonic()
        if server.url != self.url:
            raise DatabaseGone("the database server's port was taken by another program: start again")
        log.warning("the database server runs again")
