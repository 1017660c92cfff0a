"""Whether the log is what was written: every hash recomputed, no gap, and the head at the last event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from struct import Struct
from typing import Any

from psycopg2.extensions import cursor

from storage.log.chain import GENESIS
from storage.postgres.pool import Pool

_PAGE = 10_000

# By their full names: whatever anybody has created elsewhere, this is the log.
_HEAD = "SELECT position, hash FROM public.log_head"

_HASH_AT = "SELECT hash FROM public.events WHERE position = %s"

_EVENTS = """
    COPY (
        SELECT position, stream_id, version, topic, recorded_at, state, hash
        FROM public.events WHERE position BETWEEN %s AND %s ORDER BY position
    ) TO STDOUT (FORMAT binary)
"""

# The binary form of COPY (PostgreSQL's manual, COPY, "Binary Format"): a header of 19 bytes, then rows, each
# with its number of fields in 2 bytes, and before each field its length in 4: just what is hashed, but for
# the time, which is counted from the year 2000 there. -1 for the number of fields is the end.
_HEADER = 19
_END = b"\xff\xff"
_FROM_1970_TO_2000 = 946_684_800_000_000
_length_at = Struct(">I").unpack_from
_position_at = Struct(">q").unpack_from
_moment = Struct(">Q")
_LENGTH_OF_HASH = b"\x00\x00\x00\x20"

_BEYOND = """
    SELECT least(
        (SELECT min(position) FROM public.events WHERE position < 1),
        (SELECT min(position) FROM public.events WHERE position > (SELECT position FROM public.log_head))
    )
"""


@dataclass(frozen=True)
class Verification:
    """`broken` is the first position at which the log is not what was written, None when it is sound;
    `reason` says in what way. `events` were checked, up to `head`."""

    broken: int | None
    events: int
    head: int
    reason: str = ""


class _Broken(Exception):
    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


def verify(pool: Pool, since: int = 1, progress: Callable[[int], None] | None = None) -> Verification:
    """Checks the log from position `since` on, up to the head that it has now; the hash before `since`
    is taken for granted. `progress` is told every position reached. Appending goes on meanwhile: pages
    are read one by one, for a reader that holds a snapshot for long makes appending slow.

    Raises ValueError for a position that the log has not reached, psycopg2.Error.
    """
    with pool.transaction() as cur:
        cur.execute(_HEAD)
        head, head_hash = _row(cur)
    if not 1 <= since <= head + 1:
        raise ValueError(f"the log has positions 1 to {head}, not {since}")
    checked = since - 1
    try:
        previous = _hash_before(pool, since)
        while checked < head:
            last = min(checked + _PAGE, head)
            previous = _check(_page(pool, checked + 1, last), checked + 1, last, previous)
            checked = last
            if progress:
                progress(checked)
        if previous != bytes(head_hash):
            raise _Broken(head, "its hash is not the one at the head of the log")
        _check_beyond(pool)
    except _Broken as broken:
        return Verification(broken.position, max(broken.position - since, 0), head, broken.reason)
    return Verification(None, head - since + 1, head)


def _hash_before(pool: Pool, position: int) -> bytes:
    if position == 1:
        return GENESIS
    with pool.transaction() as cur:
        cur.execute(_HASH_AT, (position - 1,))
        row = cur.fetchone()
    if row is None:
        raise _Broken(position - 1, "the event is missing")
    return bytes(row[0])


def _page(pool: Pool, first: int, last: int) -> bytes:
    page = BytesIO()
    with pool.transaction() as cur:
        cur.copy_expert(cur.mogrify(_EVENTS, (first, last)).decode(), page)
    return page.getvalue()


def _check(page: bytes, first: int, last: int, previous: bytes) -> bytes:
    """The hash of the last event, when each follows from the one before."""
    expected = first
    for position, hashed, recorded_hash in _rows(page):
        if position != expected:
            raise _Broken(expected, "the event is missing")
        previous = sha256(_LENGTH_OF_HASH + previous + hashed).digest()
        if previous != recorded_hash:
            raise _Broken(position, "the hash does not follow from the event and the hash before it")
        expected += 1
    if expected <= last:
        raise _Broken(expected, "the event is missing")
    return previous


def _rows(page: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Position, what is hashed after the previous hash, and the hash, of each event."""
    at = _HEADER
    while (start := at + 2) and page[at:start] != _END:
        topic = start + (4 + 8) + (4 + 16) + (4 + 4)
        moment = topic + 4 + _length_at(page, topic)[0] + 4
        state = moment + 8
        end = state + 4 + _length_at(page, state)[0]
        # Modulo 2**64, since an infinite time, which nobody appends, would not fit.
        since_1970 = _moment.pack((_moment.unpack_from(page, moment)[0] + _FROM_1970_TO_2000) % 2**64)
        at = end + 4 + _length_at(page, end)[0]
        yield (
            _position_at(page, start + 4)[0],
            page[start:moment] + since_1970 + page[state:end],
            page[end + 4 : at],
        )


def _check_beyond(pool: Pool) -> None:
    with pool.transaction() as cur:
        cur.execute(_BEYOND)
        (position,) = _row(cur)
    if position is not None:
        raise _Broken(position, "the event lies outside the log, which goes from 1 to its head")


def _row(cur: cursor) -> tuple[Any, ...]:
    row = cur.fetchone()
    assert row is not None
    return row
