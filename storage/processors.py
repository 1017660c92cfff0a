"""Processors: the processes that send. Each has a number, says regularly that it lives, and can be fenced.

Times are aware datetimes. A processor that left, or whose open work others have closed, is settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from psycopg2.extensions import cursor
from psycopg2.extras import Json

from domain.failing_jobs import ENOUGH, HOLDS_UP_ALL, START, FailingJob

PATIENCE = timedelta(seconds=30)
"""A processor that has not been seen for so long is taken for dead."""

OF_LATE = timedelta(minutes=10)
"""In which a processor that ends again and again, each time later, has ended several times."""

FAILING = """
    SELECT job, failures, error, since
    FROM processors CROSS JOIN jsonb_to_recordset(failing)
         AS failing (job text, failures integer, error text, since timestamptz)
    WHERE NOT fenced AND seen_at >= %(alive)s AND failures >= %(enough)s
    ORDER BY 2 DESC, 1
"""

# What kept a processor from starting is over once a later one got further.
ENDED = """
    SELECT ended_on->>'job', count(*)::integer, ended_on->>'error', min(seen_at)
    FROM processors AS ended
    WHERE ended_on IS NOT NULL AND seen_at >= %(of_late)s
      AND (ended_on->>'job' <> %(start)s OR NOT EXISTS (
          SELECT FROM processors AS later
          WHERE later.number > ended.number AND later.begun_at IS NOT NULL
            AND (later.host = ended.host OR NOT later.fenced AND later.seen_at >= %(alive)s)))
    GROUP BY ended_on HAVING count(*) >= %(enough)s
    ORDER BY 2 DESC, 1
"""

WORKS = """
    SELECT EXISTS (
        SELECT FROM processors
        WHERE NOT fenced AND seen_at >= %(alive)s AND begun_at IS NOT NULL AND ended_on IS NULL
          AND NOT EXISTS (
              SELECT FROM jsonb_to_recordset(failing) AS failing (job text, failures integer)
              WHERE failures >= %(enough)s AND job = ANY (%(holding_up_all)s)))
"""


class Dead(NamedTuple):
    """A processor that is fenced while something of it is open."""

    number: int
    host: str
    started_at: datetime


def register(cur: cursor, host: str, pid: int, now: datetime) -> int:
    """The number of a new processor; numbers are never used again."""
    cur.execute(
        "INSERT INTO processors (host, pid, started_at, seen_at) VALUES (%s, %s, %s, %s) RETURNING number",
        (host, pid, now, now),
    )
    return _numbers(cur)[0]


def database_time(cur: cursor) -> datetime:
    """What the time is for all processors alike, whatever their hosts' clocks say."""
    cur.execute("SELECT clock_timestamp()")
    found: datetime = cur.fetchone()[0]  # type: ignore[index]
    return found


def seen(cur: cursor, number: int, now: datetime, jobs: Iterable[FailingJob] = ()) -> bool:
    """Says that the processor lives, and which of its jobs fail. False when it was fenced meanwhile."""
    _keep_locks_briefly(cur)
    told = [{**asdict(job), "since": job.since.isoformat()} for job in jobs]
    cur.execute(
        "UPDATE processors SET seen_at = %s, failing = %s WHERE number = %s AND NOT fenced",
        (now, Json(told), number),
    )
    return cur.rowcount == 1


def begins(cur: cursor, number: int, now: datetime) -> None:
    """Says that the processor has started and sends from now on."""
    _keep_locks_briefly(cur)
    cur.execute("UPDATE processors SET begun_at = %s WHERE number = %s", (now, number))


def cannot_go_on(cur: cursor, number: int, now: datetime, part: str, error: str) -> None:
    """Says what the processor ends on; `error` is the class of it."""
    _keep_locks_briefly(cur)
    cur.execute(
        "UPDATE processors SET seen_at = %s, ended_on = %s WHERE number = %s",
        (now, Json({"job": part, "error": error}), number),
    )


def failing(cur: cursor, now: datetime) -> list[FailingJob]:
    """What fails again and again in the processors that live, the most frequent first."""
    cur.execute(FAILING, {"alive": now - PATIENCE, "enough": ENOUGH})
    return _jobs(cur)


def ended_several(cur: cursor, now: datetime) -> list[FailingJob]:
    """What ended several processors of late, and may end the next one, too."""
    cur.execute(ENDED, {"alive": now - PATIENCE, "of_late": now - OF_LATE, "enough": ENOUGH, "start": START})
    return _jobs(cur)


def failing_or_ending(cur: cursor, now: datetime) -> list[FailingJob]:
    """Both: what somebody should look at."""
    return [*failing(cur, now), *ended_several(cur, now)]


def works(cur: cursor, now: datetime) -> bool:
    """Whether one lives that has begun to send, and in which nothing fails that holds up all sending."""
    cur.execute(WORKS, {"alive": now - PATIENCE, "enough": ENOUGH, "holding_up_all": sorted(HOLDS_UP_ALL)})
    return bool(cur.fetchone()[0])  # type: ignore[index]


def last_seen(cur: cursor) -> datetime | None:
    """When the last of all processors was seen; None when there has never been one."""
    cur.execute("SELECT max(seen_at) FROM processors")
    found: datetime | None = cur.fetchone()[0]  # type: ignore[index]
    return found


def alive(cur: cursor, now: datetime, patience: timedelta) -> list[int]:
    """Those that were seen within `patience`, ascending."""
    cur.execute(
        "SELECT number FROM processors WHERE NOT fenced AND seen_at >= %s ORDER BY number", (now - patience,)
    )
    return _numbers(cur)


def running(cur: cursor, now: datetime) -> int:
    """How many live, those left out that said that they cannot go on."""
    cur.execute(
        "SELECT count(*) FROM processors WHERE NOT fenced AND seen_at >= %s AND ended_on IS NULL",
        (now - PATIENCE,),
    )
    return _numbers(cur)[0]


def trust_clock(cur: cursor, number: int, is_trusted: bool) -> None:
    """Says whether the processor knows well enough what time it is: it starts nothing while it does not."""
    _keep_locks_briefly(cur)
    cur.execute("UPDATE processors SET trusts_clock = %s WHERE number = %s", (is_trusted, number))


def doubting(cur: cursor, now: datetime, patience: timedelta) -> list[int]:
    """Those of the living that do not know what time it is, ascending."""
    cur.execute(
        "SELECT number FROM processors WHERE NOT fenced AND seen_at >= %s AND NOT trusts_clock"
        " ORDER BY number",
        (now - patience,),
    )
    return _numbers(cur)


def silent(cur: cursor, now: datetime, patience: timedelta) -> list[int]:
    """Those that are not fenced and were not seen within `patience`, ascending."""
    cur.execute(
        "SELECT number FROM processors WHERE NOT fenced AND seen_at < %s ORDER BY number", (now - patience,)
    )
    return _numbers(cur)


def unfenced_on(cur: cursor, host: str) -> list[tuple[int, int]]:
    """Number and process id of those on one host, ascending."""
    cur.execute("SELECT number, pid FROM processors WHERE NOT fenced AND host = %s ORDER BY number", (host,))
    return [(number, pid) for number, pid in cur.fetchall()]


def fence(cur: cursor, number: int) -> None:
    """From the end of this transaction on, the processor appends nothing any more. Waits for an append
    of it that is under way."""
    _keep_locks_briefly(cur)
    cur.execute("UPDATE processors SET fenced = true WHERE number = %s AND NOT fenced", (number,))


def fenced_with_open_work(cur: cursor, host: str, silent_since: datetime) -> list[Dead]:
    """Those that are fenced and not settled, ascending. Those of other hosts than `host` only once they have
    been silent so long: who lives on their host knows more of them."""
    cur.execute(
        "SELECT number, host, started_at FROM processors WHERE fenced AND NOT settled"
        " AND (host = %s OR seen_at < %s) ORDER BY number",
        (host, silent_since),
    )
    return [Dead(*row) for row in cur.fetchall()]


def settle(cur: cursor, number: int) -> None:
    """Says that nothing of a fenced processor is left open."""
    _keep_locks_briefly(cur)
    cur.execute("UPDATE processors SET settled = true WHERE number = %s AND fenced", (number,))


def _keep_locks_briefly(cur: cursor) -> None:
    """Whoever is suspended while holding the lock on such a row would keep others from fencing him."""
    cur.execute("SET LOCAL idle_in_transaction_session_timeout = '5s'")


def _numbers(cur: cursor) -> list[int]:
    return [number for (number,) in cur.fetchall()]


def _jobs(cur: cursor) -> list[FailingJob]:
    return [FailingJob(job, n, error, since.astimezone(UTC)) for job, n, error, since in cur.fetchall()]
