"""What may be appended, what comes of it, and why it may be refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    PersistenceError,
    StoredEvent,
)

LARGEST_VERSION = 2**31 - 1


class Conflict(IntegrityError):
    """A stream has an event of that version already. Nothing of the submission is in the log."""


class Fenced(PersistenceError):
    """The processor was fenced: others take it for dead, and it can append nothing any more."""


class Unavailable(OperationalError):
    """The database could not be reached. The events are certainly not in the log."""


class Unresolved(OperationalError):
    """The connection broke during the commit and none could be had since: whether the events are in
    the log is not known."""


class DamagedLog(InternalError):
    """The head of the log and its events contradict each other; `verify` tells where."""


class Committed(NamedTuple):
    """In the log, on disk."""

    positions: range
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class NotCommitted:
    """`error` is Conflict, Fenced, Unavailable, Unresolved, or psycopg2.Error when the server refused.
    Nothing of the submission is in the log, but see Unresolved."""

    error: Exception


Result = Committed | NotCommitted


class CommitterClosed(Exception):
    """Events were handed in after `close`."""


Entry = tuple[bytes, int, str, bytes]
"""Stream, version, topic, state."""


def entries(events: Iterable[StoredEvent]) -> list[Entry]:
    """Raises DataError for what no log can hold: an id that is no UUID, a negative or huge version, a
    topic with NUL or half a character, a state that is no bytes."""
    return [_entry(event) for event in events]


def _entry(event: StoredEvent) -> Entry:
    stream, version, state = event.originator_id, event.originator_version, event.state
    if not isinstance(stream, UUID):
        raise DataError(f"the id of a stream is a UUID, not {stream!r}")
    if type(version) is not int or not 0 <= version <= LARGEST_VERSION:
        raise DataError(f"the version of an event goes from 0 to {LARGEST_VERSION}: {version!r}")
    if type(state) is not bytes:
        raise DataError(f"the state of an event is bytes, not {type(state).__name__}")
    _check_topic(event.topic)
    return stream.bytes, version, event.topic, state


@lru_cache(maxsize=1024)
def _check_topic(topic: str) -> None:
    if "\0" in topic or topic != topic.encode(errors="replace").decode():
        raise DataError(f"not a topic: {topic!r}")


def repeats(parts: Sequence[Sequence[Entry]]) -> tuple[set[int], set[int]]:
    """Which parts of a batch name an event (stream and version) twice within themselves, and which name
    one that an earlier part names."""
    if len({entry[:2] for part in parts for entry in part}) == sum(map(len, parts)):
        return set(), set()
    seen: set[tuple[bytes, int]] = set()
    in_themselves, after_another = set(), set()
    for number, part in enumerate(parts):
        keys = {(entry[0], entry[1]) for entry in part}
        if len(keys) < len(part):
            in_themselves.add(number)
        elif not seen.isdisjoint(keys):
            after_another.add(number)
        else:
            seen |= keys
    return in_themselves, after_another
