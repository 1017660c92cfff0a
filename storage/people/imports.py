"""Imports on record: one at a time, with how far it is, and what came of it.

Who runs one says every second that it is alive. One that is silent for longer than SILENT was cut off, which
leaves the directory as it was or has all of the file in it, since it is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.errors import Refused

SILENT = "30 seconds"

ALIVE = f"ended_at IS NULL AND alive_at > now() - interval '{SILENT}'"

SELECT = f"""
    SELECT number, begun_by, begun_at, file, size, lists, status, done, stop_wanted, ended_at, summary, error,
           CASE WHEN ended_at IS NULL THEN CASE WHEN {ALIVE} THEN 'running' ELSE 'cut off' END
                WHEN summary IS NOT NULL THEN 'finished'
                WHEN stop_wanted AND error IS NULL THEN 'stopped' ELSE 'failed' END
    FROM imports
"""  # noqa: S608 - of constants


class Import(NamedTuple):
    """`size` and `done` in bytes. `state` is running, finished, stopped, failed or `cut off`."""

    number: int
    begun_by: str
    begun_at: datetime
    file: str
    size: int
    lists: Sequence[int]
    status: str
    done: int
    stop_wanted: bool
    ended_at: datetime | None
    summary: Mapping[str, Any] | None
    error: str | None
    state: str


def begin(cursor: Any, *, by: str, file: str, size: int, lists: Sequence[int], status: str) -> int:
    """Raises Refused while another one runs."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('postledger imports'))")
    if (other := running(cursor)) is not None:
        raise Refused(f"import {other} is still running; one goes at a time")
    cursor.execute(
        "INSERT INTO imports (begun_by, file, size, lists, status) VALUES (%s, %s, %s, %s, %s)"
        " RETURNING number",
        (by, file, size, list(lists), status),
    )
    return int(cursor.fetchone()[0])


def forget(cursor: Any, numbers: Sequence[int]) -> None:
    """Names of files with the address of one of these people in them. Call before their addresses go."""
    cursor.execute(
        """
        UPDATE imports i SET file = '(erased)' FROM recipients r
        WHERE r.number = ANY (%s) AND position(lower(r.email) IN lower(i.file)) > 0
        """,
        (list(numbers),),
    )


def running(cursor: Any) -> int | None:
    cursor.execute(f"SELECT number FROM imports WHERE {ALIVE} ORDER BY number DESC LIMIT 1")  # noqa: S608
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def still_alive(cursor: Any, number: int, done: int) -> bool:
    """False when somebody wants it stopped."""
    cursor.execute(
        "UPDATE imports SET done = %s, alive_at = now() WHERE number = %s RETURNING stop_wanted",
        (done, number),
    )
    return not cursor.fetchone()[0]


def want_stopped(cursor: Any, number: int) -> None:
    cursor.execute("UPDATE imports SET stop_wanted = true WHERE number = %s AND ended_at IS NULL", (number,))


def end(
    cursor: Any, number: int, *, summary: Mapping[str, Any] | None = None, error: str | None = None
) -> None:
    """Without either it was stopped."""
    cursor.execute(
        "UPDATE imports SET ended_at = now(), summary = %s, error = %s WHERE number = %s",
        (None if summary is None else json.dumps(summary), error, number),
    )


def one(cursor: Any, number: int) -> Import | None:
    cursor.execute(SELECT + "WHERE number = %s", (number,))
    row = cursor.fetchone()
    return None if row is None else Import(*row)


def newest(cursor: Any, limit: int) -> list[Import]:
    cursor.execute(SELECT + "ORDER BY number DESC LIMIT %s", (limit,))
    return [Import(*row) for row in cursor.fetchall()]
