"""What is handed in to the committer, and what it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from storage.log.entries import Committed, Entry, NotCommitted, Result

log = logging.getLogger(__name__)

Done = Callable[[Result], None]
Part = tuple[Sequence[Entry], Any]
"""Events that belong together, and whatever whoever hands them in will know them by."""


class Settled(NamedTuple):
    """What became of parts that were handed in together. Without `error` they are in the log, one after the
    other from position `first` on."""

    parts: Sequence[Part]
    first: int
    recorded_at: datetime | None = None
    error: Exception | None = None


class Submission(NamedTuple):
    """Parts are committed together while nothing is wrong with any, else each for itself."""

    parts: Sequence[Part]
    entries: Sequence[Entry]
    heard: Callable[[Settled], object]
    notify: bool


def apart(submissions: Sequence[Submission]) -> list[Submission]:
    """Each part for itself."""
    return [
        submission._replace(parts=[part], entries=part[0])
        for submission in submissions
        for part in submission.parts
    ]


def tell(answer: Settled) -> None:
    """To whoever handed in one part, known by the function to be called."""
    (events, done), (_, first, recorded_at, error) = answer.parts[0], answer
    try:
        if error is not None:
            done(NotCommitted(error))
        elif recorded_at is not None:
            done(Committed(range(first, first + len(events)), recorded_at))
    except Exception:
        log.exception("whoever handed in events failed on hearing of their commit")
