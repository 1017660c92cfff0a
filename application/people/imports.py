"""Imports that go on after the request that began them was answered."""

from __future__ import annotations

import logging
import shutil
import tempfile
from threading import Event, Thread
from typing import IO

from psycopg2 import Error

from application.installation import Installation
from application.people.people import People
from domain.errors import Missing, Refused
from storage.people import imports
from storage.people.imports import Import
from storage.people.recipients_import import Options, refresh_statistics
from storage.postgres.pool import Pool, PoolClosed, PoolTimeout

EVERY = 1.0
"""Seconds between two words of how far it is."""
MANY = 1000
"""People, from which on the planner should know of them."""

log = logging.getLogger(__name__)


class ImportStopped(Exception):
    """Somebody asked for it; nothing has changed."""


class Imports:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._pool = installation.pool

    def begin(self, file: IO[bytes], name: str, options: Options, *, by: str) -> int:
        """The number of the import, which goes on by itself. `file` is copied first. Raises Refused while
        another one runs."""
        kept = tempfile.TemporaryFile()  # noqa: SIM115 - the import closes it, later
        try:
            shutil.copyfileobj(file, kept, 1 << 20)
            size = kept.tell()
            kept.seek(0)
            with self._pool.transaction() as cursor:
                status = "blocklisted" if options.blocklist else options.subscription
                number = imports.begin(
                    cursor, by=by, file=name[:200], size=size, lists=options.lists, status=status
                )
        except BaseException:
            kept.close()
            raise
        RunningImport(self._pool, People(self._installation), kept, options, number, by).start()
        return number

    def check_alone(self) -> None:
        """Before a list is made for an import that would be refused. Raises Refused while one runs."""
        with self._installation.reading() as cursor:
            if (other := imports.running(cursor)) is not None:
                raise Refused(f"import {other} is still running; one goes at a time")

    def one(self, number: int) -> Import:
        """Raises Missing."""
        with self._installation.reading() as cursor:
            found = imports.one(cursor, number) if number < 2**31 else None
        if found is None:
            raise Missing(f"there is no import {number}")
        return found

    def stop(self, number: int) -> None:
        """Nothing of it is kept, unless it was nearly through. Raises Missing."""
        found = self.one(number)
        with self._pool.transaction() as cursor:
            imports.want_stopped(cursor, found.number)


class RunningImport:
    """Ends with the process; the import is then as if it had never been."""

    def __init__(
        self, pool: Pool, people: People, file: IO[bytes], options: Options, number: int, by: str
    ) -> None:
        self._pool = pool
        self._people = people
        self._file = file
        self._options = options
        self._number = number
        self._by = by
        self._done = 0
        self._ended = Event()
        self._is_unwanted = False

    def start(self) -> None:
        Thread(target=self._run, name=f"import {self._number}", daemon=True).start()

    def _run(self) -> None:
        telling = Thread(target=self._tell, name=f"progress of import {self._number}", daemon=True)
        telling.start()
        summary, error = None, None
        try:
            with self._file as file:
                summary = self._people.import_csv(file, self._options, self._advance, by=self._by)
        except ImportStopped:
            pass
        except Refused as refused:
            error = refused.message
        except (PoolTimeout, PoolClosed, Error) as failure:
            log.error("import %s: the database did not take it: %s", self._number, failure)
            error = "the database did not take it; the log of the service says more"
        except Exception:
            log.exception("import %s failed", self._number)
            error = "it failed for a reason that was not foreseen; the log of the service says more"
        finally:
            self._ended.set()
            telling.join()
        self._keep(None if summary is None else summary.as_dict(), error)
        if summary is not None and summary.imported >= MANY:
            refresh_statistics(self._pool.url)

    def _advance(self, count: int) -> None:
        self._done += count
        if self._is_unwanted:
            raise ImportStopped

    def _tell(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                with self._pool.transaction() as cursor:
                    self._is_unwanted = not imports.still_alive(cursor, self._number, self._done)
            except (PoolTimeout, PoolClosed, Error) as failure:
                log.warning("import %s cannot say how far it is: %s", self._number, failure)

    def _keep(self, summary: dict[str, object] | None, error: str | None) -> None:
        try:
            with self._pool.transaction() as cursor:
                imports.still_alive(cursor, self._number, self._done)
                imports.end(cursor, self._number, summary=summary, error=error)
        except (PoolTimeout, PoolClosed, Error) as failure:
            log.error("what came of import %s could not be kept: %s", self._number, failure)
