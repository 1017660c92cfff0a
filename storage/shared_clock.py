"""The clock that counts for all processes: the database's."""

from __future__ import annotations

from psycopg2.extensions import cursor

from domain.clock import Clock


def set_by_database(clock: Clock, cur: cursor) -> float:
    """Sets a process's clock by the database's. Returns by how many seconds that was set since the last
    time, 0.0 when it was not."""
    asked = clock.steady()
    cur.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    (theirs,) = cur.fetchone() or (0.0,)
    return clock.heard(theirs, asked)
