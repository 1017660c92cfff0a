"""Group commit: one thread appends to the log for all threads of a process.

A commit costs a write to disk, however many events it has. So whatever is handed in while one commit is
under way goes into the next together, and 100 waiting threads cost little more than one.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from time import monotonic, sleep

import psycopg2
from eventsourcing.persistence import StoredEvent
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import connection

from domain.clock import Clock, SystemClock
from storage.log.entries import (
    Committed,
    CommitterClosed,
    Conflict,
    Fenced,
    NotCommitted,
    Result,
    Unavailable,
    Unresolved,
    entries,
    repeats,
)
from storage.log.submission import Done, Part, Settled, Submission, apart, tell
from storage.log.versions import already_there
from storage.log.writer import ConnectionLost, Sealed, Writer, Writing
from storage.postgres.pool import Pool, open_connection

__all__ = ["Committed", "Committer", "CommitterClosed", "Conflict", "Fenced", "NotCommitted", "Result",
           "Unavailable", "Unresolved"]  # fmt: skip

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 1.0


class Committer:
    """`processor` is the number under which this process registered: once that is fenced, everything is
    refused. In the committer's thread, `on_commit` is called after each commit with the position of the
    head, `on_refusal` after each refusal. `limit` is how many events go into one commit, unless one
    submission alone has more.

    Without a connection, submissions wait until there is one again; with `patience`, for so many seconds.
    """

    def __init__(
        self,
        database: Pool | str,
        clock: Clock | None = None,
        processor: int | None = None,
        *,
        on_commit: Callable[[int], None] | None = None,
        on_refusal: Callable[[], None] | None = None,
        limit: int = 2000,
        patience: float | None = None,
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._writer = Writer(self._clock, processor)
        self._on_commit = on_commit
        self._on_refusal = on_refusal
        self._limit = limit
        self._patience = patience
        self._connection: connection | None = None
        self._fenced: Fenced | None = None
        self._changed = Condition()
        self._waiting: deque[Submission] = deque()
        self._closing = False
        self._give_up_at: float | None = None
        self._thread = Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def is_fenced(self) -> bool:
        """Whether nothing is appended any more, since others took this processor for dead."""
        return self._fenced is not None

    def submit(self, events: Sequence[StoredEvent], done: Done, *, notify: bool = True) -> None:
        """Hands in events that belong together: all or none are appended. `done` is called in the
        committer's thread, which must not be kept waiting there. `notify`: readers are to be told now.

        Raises DataError and CommitterClosed, in which cases `done` is never called.
        """
        checked = entries(events)
        self._wait_for_turn(Submission([(checked, done)], checked, tell, notify))

    def submit_all(
        self, parts: Sequence[Part], heard: Callable[[Settled], object], *, notify: bool = True
    ) -> None:
        """Several submissions at once, each judged for itself: as `submit`, but cheaper, since what they hold
        is not looked at, and they are committed and answered together as long as nothing is wrong with any.
        `heard`, which is called in the committer's thread, may be the `append` of a deque."""
        together = [entry for events, _ in parts for entry in events]
        self._wait_for_turn(Submission(parts, together, heard, notify))

    def _wait_for_turn(self, submission: Submission) -> None:
        with self._changed:
            if self._closing:
                raise CommitterClosed("events came after the committer was closed")
            self._waiting.append(submission)
            self._changed.notify()

    def promise(self, events: Sequence[StoredEvent], *, notify: bool = True) -> Future[Committed]:
        """Like `submit`; the result of the future is Committed, or its exception is why it was refused."""
        future: Future[Committed] = Future()

        def done(result: Result) -> None:
            if isinstance(result, Committed):
                future.set_result(result)
            else:
                future.set_exception(result.error)

        self.submit(events, done, notify=notify)
        return future

    def append(self, events: Sequence[StoredEvent], *, notify: bool = True) -> list[int]:
        """Waits for the commit and returns the positions. Not to be called in the committer's thread.

        Raises Conflict, Fenced, Unavailable, Unresolved, DataError, CommitterClosed, psycopg2.Error.
        """
        return list(self.promise(events, notify=notify).result().positions)

    def give_up_in(self, seconds: float) -> None:
        """From then on nobody waits any longer for a database that is away."""
        with self._changed:
            self._give_up_at = monotonic() + seconds

    def close(self, timeout: float = 30.0) -> None:
        """Commits what was handed in before, for up to `timeout` seconds while the database is away;
        then the rest is refused. Raises TimeoutError when the database holds the last commit up."""
        with self._changed:
            self._closing = True
            self._give_up_at = monotonic() + timeout
            self._changed.notify_all()
        self._thread.join(timeout + 5)
        if self._thread.is_alive():
            raise TimeoutError("the last commit is still under way")

    def _run(self) -> None:
        while submissions := self._gather():
            self._commit(submissions)
        self._disconnect()

    def _gather(self) -> list[Submission]:
        """Waits for submissions. None come any more when the list is empty."""
        gathered: list[Submission] = []
        room = self._limit
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            while self._waiting and (not gathered or len(self._waiting[0].entries) <= room):
                gathered.append(self._waiting.popleft())
                room -= len(gathered[-1].entries)
        return gathered

    def _commit(self, submissions: list[Submission]) -> None:
        while submissions:
            if self._fenced:
                self._refuse(submissions, self._fenced)
                break
            submissions = self._try(submissions)

    def _try(self, submissions: list[Submission]) -> list[Submission]:
        """Commits the submissions; those that are to be tried again without the others are returned."""
        batch = Writing(
            [entry for submission in submissions for entry in submission.entries],
            any(submission.notify for submission in submissions),
        )
        try:
            sealed = self._settle(batch) if batch.entries else None
        except UniqueViolation as error:
            return self._sort_out(submissions, batch, error)
        except Fenced as error:
            self._fenced = error
            return submissions
        except (Unavailable, Unresolved) as error:
            self._refuse(submissions, error)
        except Exception as error:  # noqa: BLE001  # Whoever waits must hear of it, and the thread go on.
            singles = apart(submissions)
            if len(singles) == 1:
                self._refuse(singles, error)
            else:
                for submission in singles:
                    self._commit([submission])
        else:
            self._confirm(submissions, sealed)
        return []

    def _settle(self, batch: Writing) -> Sealed:
        """Appends the batch, over as many connections as that takes."""
        since, pause = monotonic(), 0.0
        while True:
            try:
                return self._writer.append(self._connected(), batch)
            except ConnectionLost as error:
                if pause == 0:
                    log.warning("the connection to the database is lost: %s", error)
                self._disconnect()
                sleep(pause)
                pause = min(max(2 * pause, 0.05), _LONGEST_PAUSE)
                if self._has_waited_enough(since):
                    reason = Unresolved if batch.unanswered else Unavailable
                    raise reason(str(error)) from error

    def _has_waited_enough(self, since: float) -> bool:
        now = monotonic()
        return (self._patience is not None and now > since + self._patience) or (
            self._give_up_at is not None and now > self._give_up_at
        )

    def _connected(self) -> connection:
        if self._connection is None:
            try:
                if isinstance(self._database, Pool):
                    self._connection = self._database.open()
                else:
                    self._connection = open_connection(self._database)
            except psycopg2.OperationalError as error:
                raise ConnectionLost(str(error)) from error
            self._connection.autocommit = True
            self._writer.prepare(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sort_out(
        self, submissions: list[Submission], batch: Writing, error: UniqueViolation
    ) -> list[Submission]:
        """Returns those that are to be tried again. The same event handed in twice cannot go into one
        transaction, and once into none."""
        singles = apart(submissions)
        hopeless, later = repeats([submission.entries for submission in singles])
        if len(singles) == len(submissions) and not hopeless and not later:
            return self._refuse_culprits(submissions, batch, error)
        self._refuse([singles[n] for n in hopeless], Conflict("two events of one version in one stream"))
        self._commit([submission for n, submission in enumerate(singles) if n not in hopeless | later])
        return [singles[n] for n in sorted(later)]

    def _refuse_culprits(
        self, submissions: list[Submission], batch: Writing, error: UniqueViolation
    ) -> list[Submission]:
        """Refuses the submissions of which an event is in the log already; returns the others."""
        try:
            with self._connected().cursor() as cur:
                there = already_there(cur, batch.entries)
        except (psycopg2.Error, ConnectionLost) as broken:
            if self._connection is not None and not self._connection.closed:
                self._refuse(submissions, broken)
                return []
            self._disconnect()
            return submissions
        innocent = []
        for submission in submissions:
            known = [entry for entry in submission.entries if (entry[0], entry[1]) in there]
            if known:
                self._refuse([submission], Conflict(f"{known[0][0].hex()} has a version {known[0][1]}"))
            else:
                innocent.append(submission)
        if len(innocent) == len(submissions):
            self._refuse(submissions, error)
            return []
        return innocent

    def _confirm(self, submissions: list[Submission], sealed: Sealed | None) -> None:
        first = sealed.first if sealed else 0
        recorded_at = sealed.moment if sealed else self._clock.now()
        for submission in submissions:
            submission.heard(Settled(submission.parts, first, recorded_at))
            first += len(submission.entries)
        if sealed and self._on_commit:
            try:
                self._on_commit(sealed.position)
            except Exception:
                log.exception("the hook after a commit failed")

    def _refuse(self, submissions: Sequence[Submission], error: Exception) -> None:
        for submission in submissions:
            submission.heard(Settled(submission.parts, 0, error=error))
        if self._on_refusal:
            self._on_refusal()
