"""Imports of people: at once, or going on after the request that began them was answered."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from typing import IO, Any

from psycopg2 import Error

from application.event_recording import EventToRecord, record
from application.installation import Installation
from application.people.lists import created
from application.people.people import check_lists
from domain.errors import Missing, Refused
from domain.people.people import PeopleImported
from domain.streams import LARGEST_NUMBER, person_stream
from storage.people import directory, imports, lists, statistics
from storage.people.imports import Import
from storage.people.recipients_import import Options, Summary, import_csv
from storage.postgres.pool import Pool, PoolClosed, PoolTimeout

EVERYBODY = 0
"""In the place of a person's number, for what concerns many."""

EVERY = 1.0
"""Seconds between two words of how far it is."""
LARGEST_FILE = 200 * 1024 * 1024
MANY = 1000
"""People, from which on the planner should know of them."""

log = logging.getLogger(__name__)


class ImportStopped(Exception):
    """Somebody asked for it; nothing has changed."""


class Imports:
    """From CSV files: at once, or going on by themselves."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._pool = installation.pool
        self._log = installation.log

    def begin(self, file: IO[bytes], name: str, options: Options, *, by: str) -> int:
        """The number of the import, which goes on by itself. `file` is copied first. Raises Refused while
        another one runs."""
        kept = tempfile.TemporaryFile()  # noqa: SIM115 - the import closes it, later
        try:
            shutil.copyfileobj(file, kept, 1 << 20)
            size = kept.tell()
            kept.seek(0)
            with self._pool.transaction() as cursor:
                number = imports.begin(
                    cursor, by=by, file=name[:200], size=size, lists=options.lists, status=options.status
                )
        except BaseException:
            kept.close()
            raise
        RunningImport(self, self._pool, kept, options, number, by).start()
        return number

    def at_once(
        self,
        file: IO[bytes],
        options: Options,
        progress: Callable[[int], None] = lambda _bytes: None,
        *,
        into: str | None = None,
        strict: bool = False,
        by: str,
    ) -> Summary:
        """All of the file or nothing; with `strict` nothing when any row is refused. `into` names one more
        list, which is made if it is new. Raises DirectoryError, and whatever `progress` raises, which ends
        it."""
        events: list[EventToRecord] = []
        with self._pool.transaction() as cursor:
            if into is not None:
                number, events = _list_of_name(cursor, into)
                options = replace(options, lists=[*options.lists, number])
            check_lists(cursor, options.lists)
            summary = import_csv(cursor, file, options, progress)
            if strict and summary.refused:
                cursor.connection.rollback()
                return summary
            # Others who import wait for this transaction, so that the stream has no other writer.
            counts = {name: getattr(summary, name) for name in _COUNTS}
            fact = {"lists": sorted(set(options.lists)), "status": options.status, **counts}
            events.append(EventToRecord(person_stream(EVERYBODY), PeopleImported, fact))
            record(cursor, self._log, events, by)
        return summary

    def check_alone(self) -> None:
        """Before a list is made for an import that would be refused. Raises Refused while one runs."""
        with self._installation.reading() as cursor:
            if (other := imports.running(cursor)) is not None:
                raise Refused(f"import {other} is still running; only one can run at a time")

    def one(self, number: int) -> Import:
        """Raises Missing."""
        with self._installation.reading() as cursor:
            found = imports.one(cursor, number) if number <= LARGEST_NUMBER else None
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
        self, imports_: Imports, pool: Pool, file: IO[bytes], options: Options, number: int, by: str
    ) -> None:
        self._pool = pool
        self._imports = imports_
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
        reporting = Thread(target=self._report, name=f"progress of import {self._number}", daemon=True)
        reporting.start()
        summary, error = None, None
        try:
            with self._file as file:
                summary = self._imports.at_once(file, self._options, self._advance, by=self._by)
        except ImportStopped:
            pass
        except Refused as refused:
            error = refused.message
        except (PoolTimeout, PoolClosed, Error) as failure:
            log.error("import %s: the database did not take it: %s", self._number, failure)
            error = "the database did not take it; the log of the service says more"
        except Exception:
            log.exception("import %s failed", self._number)
            error = "it failed for an unexpected reason; the log of the service says more"
        finally:
            self._ended.set()
            reporting.join()
        self._keep(None if summary is None else summary.as_dict(), error)
        if summary is not None and summary.imported >= MANY:
            with self._pool.transaction() as cursor:
                statistics.refresh(cursor)

    def _advance(self, count: int) -> None:
        self._done += count
        if self._is_unwanted:
            raise ImportStopped

    def _report(self) -> None:
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


_COUNTS = ("rows", "imported", "new", "updated", "subscribed", "refused")


def _list_of_name(cursor: Any, name: str) -> tuple[int, list[EventToRecord]]:
    found = directory.find_list(cursor, name)
    if found is not None:
        return found.number, []
    number = lists.create(cursor, {"name": name})
    return number, [created(cursor, number)]
