"""Reservations of capacity, what of them was used, and what of it counts in a rolling window."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from domain.capacity.capacity import Reserved, Returned
from domain.delivery.delivery import AttemptStarted
from projections.following.batch import NUMBERS, EventBatch
from projections.following.projection import Projection

# A reservation is named by the version of its Reserved in the server's capacity stream.
TABLE = """
    CREATE TABLE reservations (
        server      integer     NOT NULL,
        reservation integer     NOT NULL,
        n           integer     NOT NULL,
        used        integer     NOT NULL,
        unused      integer     NOT NULL DEFAULT 0,
        refused     integer     NOT NULL DEFAULT 0,
        day         date        NOT NULL,
        reserved_at timestamptz NOT NULL,
        until       timestamptz NOT NULL,
        returned_at timestamptz,
        by          text        NOT NULL,
        PRIMARY KEY (server, reservation)
    ) WITH (fillfactor = 70)
"""

INDEXES = ("CREATE INDEX reservations_until ON reservations (until)",)

RESERVE = """
    INSERT INTO reservations (server, reservation, n, used, day, reserved_at, until, by)
    SELECT number, version, (state->>'n')::integer, 0, (state->>'day')::date, at,
           to_timestamp((state->>'until')::float8), state->>'by'
    FROM batch WHERE topic = 'capacity.reserved'
"""

USE = """
    UPDATE reservations r SET used = r.used + b.n
    FROM (
        SELECT server, reservation, count(*) AS n FROM batch WHERE status = %(sending)s GROUP BY 1, 2
    ) b
    WHERE r.server = b.server AND r.reservation = b.reservation
"""

RETURN = """
    UPDATE reservations r
    SET returned_at = to_timestamp((b.state->>'at')::float8),
        unused = coalesce((b.state->>'unused')::integer, 0),
        refused = coalesce((b.state->>'refused')::integer, 0)
    FROM batch b
    WHERE b.topic = 'capacity.returned' AND r.server = b.number
      AND r.reservation = (b.state->>'reservation')::integer
"""

# Nothing more can happen to these, and no window reaches back so far.
FORGET = """
    DELETE FROM reservations
    WHERE until < (SELECT max(until) FROM reservations) - interval '8 days'
      AND (returned_at IS NOT NULL OR used >= n)
"""

TOPICS = frozenset({Reserved.TOPIC, Returned.TOPIC, AttemptStarted.TOPIC})

# What of a reservation counts in a window, and until when it does: what is reserved counts as started at the
# last moment possible, what is unused never.
UNITS = "r.n - r.unused"
LAST_USE = "least(r.until, r.returned_at)"

# The first condition, with the longest of the windows, is what the index is used for.
WITHIN = f"""
    FROM unnest(%(servers)s::integer[], %(seconds)s::float8[]) AS w (server, seconds)
    JOIN reservations r ON r.server = w.server
     AND r.until > %(since)s AND {LAST_USE} > %(now)s - make_interval(secs => w.seconds)
"""

IN_WINDOW = f"SELECT w.server, sum({UNITS}) {WITHIN} GROUP BY w.server"

USES = f"SELECT extract(epoch FROM {LAST_USE})::float8, {UNITS} {WITHIN} WHERE {UNITS} > 0"  # noqa: S608 - of constants

# A twentieth of the window is told as one, by its last moment.
ROUGH_USES = f"""
    SELECT w.server, extract(epoch FROM max({LAST_USE}))::float8, sum({UNITS})::integer
    {WITHIN}
    GROUP BY w.server, floor(extract(epoch FROM {LAST_USE}) / (w.seconds / 20))
    HAVING sum({UNITS}) > 0
    ORDER BY 1, 2
"""  # noqa: S608 - of constants

LEFT_OPEN = """
    SELECT server, reservation, n, used FROM reservations
    WHERE returned_at IS NULL
      AND (by = ANY (%s) AND used < n
           OR (server, reservation) IN (SELECT * FROM unnest(%s::integer[], %s::integer[])))
    ORDER BY server, reservation
"""


def fold(cursor: Any, batch: EventBatch) -> None:
    if Reserved.TOPIC in batch.topics:
        cursor.execute(RESERVE)
    if AttemptStarted.TOPIC in batch.topics:
        cursor.execute(USE, NUMBERS)
    if Returned.TOPIC in batch.topics:
        cursor.execute(RETURN)
    cursor.execute(FORGET)


PROJECTION = Projection(
    name="rolling_usage", tables={"reservations": TABLE}, indexes=INDEXES, topics=TOPICS, fold=fold
)


class LeftOpen(NamedTuple):
    """A reservation of `n` units of which `used` were given to attempts and the rest was not returned."""

    server: int
    reservation: int
    n: int
    used: int


def in_window(cursor: Any, windows: Mapping[int, float], now: datetime) -> dict[int, int]:
    """What each server was given in its last so many seconds, with what is reserved and not yet started.
    Windows of up to a week; servers without anything are left out."""
    cursor.execute(IN_WINDOW, _asked(windows, now))
    return {server: int(units) for server, units in cursor.fetchall()}


def uses(cursor: Any, server: int, window: float, now: datetime) -> list[tuple[float, int]]:
    """What is in the server's window: (epoch second of the last use, units) of each reservation."""
    cursor.execute(USES, _asked({server: window}, now))
    return [(at, units) for at, units in cursor.fetchall()]


def rough_uses(
    cursor: Any, windows: Mapping[int, float], now: datetime
) -> dict[int, list[tuple[float, int]]]:
    """What is in each server's window: (epoch second of the last use, units), oldest first, told for a
    twentieth of the window at once."""
    cursor.execute(ROUGH_USES, _asked(windows, now))
    found: dict[int, list[tuple[float, int]]] = {}
    for server, at, units in cursor.fetchall():
        found.setdefault(server, []).append((at, units))
    return found


def _asked(windows: Mapping[int, float], now: datetime) -> dict[str, object]:
    seconds = [float(one) for one in windows.values()]
    since = now - timedelta(seconds=max(seconds, default=0.0))
    return {"servers": list(windows), "seconds": seconds, "now": now, "since": since}


def left_open_by(
    cursor: Any, processors: Sequence[int], also: Collection[tuple[int, int]] = ()
) -> list[LeftOpen]:
    """What these processors reserved, did not use up and did not return; and those of `also` (server,
    reservation) that are not returned, used up or not."""
    by = [f"processor:{number}" for number in processors]
    cursor.execute(LEFT_OPEN, (by, [server for server, _ in also], [number for _, number in also]))
    return [LeftOpen(*row) for row in cursor.fetchall()]
