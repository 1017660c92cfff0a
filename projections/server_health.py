"""How the SMTP servers do: what they answered by the hour, and every ten seconds of the last hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from domain.delivery.delivery import NAMING_SERVERS
from projections.following.batch import NUMBERS, EventBatch
from projections.following.projection import Projection

HEALTH = """
    CREATE TABLE server_health (
        server               integer PRIMARY KEY,
        consecutive_failures integer NOT NULL,
        last_success_at      timestamptz,
        last_error           text,
        last_error_at        timestamptz
    ) WITH (fillfactor = 50)
"""

HOURS = """
    CREATE TABLE server_hours (
        hour     timestamptz NOT NULL,
        server   integer NOT NULL,
        attempts integer NOT NULL,
        accepted integer NOT NULL,
        deferred integer NOT NULL,
        failed   integer NOT NULL,
        unknown  integer NOT NULL,
        PRIMARY KEY (hour, server)
    ) WITH (fillfactor = 50)
"""

THROUGHPUT = """
    CREATE TABLE throughput (
        start    timestamptz NOT NULL,
        server   integer NOT NULL,
        attempts integer NOT NULL,
        accepted integer NOT NULL,
        deferred integer NOT NULL,
        failed   integer NOT NULL,
        unknown  integer NOT NULL,
        PRIMARY KEY (start, server)
    ) WITH (fillfactor = 50)
"""

# Ten-second stretches are summed once and then by the hour. What is older than the newest by more than
# 30 days, or six hours, goes: the result is the same wherever the log is cut into batches.
COUNT = """
    WITH stretches AS MATERIALIZED (
        SELECT date_bin('10 seconds', at, 'epoch') AS start, server,
               count(*) FILTER (WHERE status = %(sending)s) AS attempts,
               count(*) FILTER (WHERE status = %(sent)s) AS accepted,
               count(*) FILTER (WHERE status = %(queued)s) AS deferred,
               count(*) FILTER (WHERE status = %(failed)s) AS failed,
               count(*) FILTER (WHERE status = %(unknown)s) AS unknown
        FROM batch WHERE server IS NOT NULL GROUP BY 1, 2
    ), hours AS (
        INSERT INTO server_hours AS h
        SELECT date_bin('1 hour', start, 'epoch'), server, sum(attempts), sum(accepted), sum(deferred),
               sum(failed), sum(unknown)
        FROM stretches GROUP BY 1, 2
        ON CONFLICT (hour, server) DO UPDATE SET
            attempts = h.attempts + excluded.attempts, accepted = h.accepted + excluded.accepted,
            deferred = h.deferred + excluded.deferred, failed = h.failed + excluded.failed,
            unknown = h.unknown + excluded.unknown
    )
    INSERT INTO throughput AS t
    SELECT * FROM stretches
    ON CONFLICT (start, server) DO UPDATE SET
        attempts = t.attempts + excluded.attempts, accepted = t.accepted + excluded.accepted,
        deferred = t.deferred + excluded.deferred, failed = t.failed + excluded.failed,
        unknown = t.unknown + excluded.unknown;
    DELETE FROM throughput WHERE start < (SELECT max(start) FROM throughput) - interval '6 hours';
    DELETE FROM server_hours WHERE hour < (SELECT max(hour) FROM server_hours) - interval '30 days'
"""

# A failure here is an answer that speaks of the server, or none at all.
JUDGE = """
    WITH answers AS (
        SELECT server, max(position) FILTER (WHERE status = %(sent)s) AS success,
               max(at) FILTER (WHERE status = %(sent)s) AS success_at
        FROM batch WHERE server IS NOT NULL AND status <> %(sending)s GROUP BY server
    ), failures AS (
        SELECT b.server, max(b.position) AS last,
               count(*) FILTER (WHERE a.success IS NULL OR b.position > a.success) AS n
        FROM batch b JOIN answers a ON a.server = b.server
        WHERE b.about IN ('server', 'network') GROUP BY b.server
    )
    INSERT INTO server_health AS h
    SELECT a.server, coalesce(f.n, 0), a.success_at, b.reply, b.at
    FROM answers a LEFT JOIN failures f ON f.server = a.server LEFT JOIN batch b ON b.position = f.last
    ON CONFLICT (server) DO UPDATE SET
        consecutive_failures = excluded.consecutive_failures
            + CASE WHEN excluded.last_success_at IS NULL THEN h.consecutive_failures ELSE 0 END,
        last_success_at = greatest(h.last_success_at, excluded.last_success_at),
        last_error = CASE WHEN excluded.last_error_at IS NULL THEN h.last_error ELSE excluded.last_error END,
        last_error_at = coalesce(excluded.last_error_at, h.last_error_at)
"""

BUSIEST = """
    SELECT server, max(accepted + failed) / 10.0 FROM throughput
    WHERE start > (SELECT max(start) FROM throughput) - interval '1 hour'
    GROUP BY server HAVING sum(accepted + failed) >= 100
"""


def fold(cursor: Any, _batch: EventBatch) -> None:
    cursor.execute(COUNT, NUMBERS)
    cursor.execute(JUDGE, NUMBERS)


PROJECTION = Projection(
    name="server_health",
    tables={"server_health": HEALTH, "server_hours": HOURS, "throughput": THROUGHPUT},
    topics=NAMING_SERVERS,
    fold=fold,
)


@dataclass(frozen=True)
class Health:
    """`consecutive_failures` counts answers that speak of the server, or of the network to it, since it
    last accepted a message."""

    server: int
    consecutive_failures: int
    last_success_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class Answers(NamedTuple):
    """What happened in a stretch of time that begins at `start`."""

    start: datetime
    attempts: int
    accepted: int
    deferred: int
    failed: int
    unknown: int


def health(cursor: Any) -> dict[int, Health]:
    cursor.execute(
        "SELECT server, consecutive_failures, last_success_at, last_error, last_error_at FROM server_health"
    )
    return {row[0]: Health(*row) for row in cursor.fetchall()}


def throughput(cursor: Any, since: datetime, server: int | None = None) -> list[Answers]:
    """Stretches of ten seconds, oldest first, those without anything left out; six hours at most."""
    cursor.execute(
        "SELECT start, sum(attempts)::integer, sum(accepted)::integer, sum(deferred)::integer,"
        " sum(failed)::integer, sum(unknown)::integer FROM throughput"
        " WHERE start >= %(since)s AND (%(server)s::integer IS NULL OR server = %(server)s)"
        " GROUP BY start ORDER BY start",
        {"since": since, "server": server},
    )
    return [Answers(*row) for row in cursor.fetchall()]


def busiest(cursor: Any) -> dict[int, float]:
    """The most e-mails a second that each server took over ten seconds of the last hour in which anything
    was sent; servers that took fewer than a hundred are left out."""
    cursor.execute(BUSIEST)
    return {server: float(rate) for server, rate in cursor.fetchall()}


def hours(cursor: Any, since: datetime) -> dict[int, list[Answers]]:
    """For each server, hour by hour, oldest first; 30 days at most."""
    cursor.execute(
        "SELECT server, hour, attempts, accepted, deferred, failed, unknown FROM server_hours"
        " WHERE hour >= %s ORDER BY server, hour",
        (since,),
    )
    found: dict[int, list[Answers]] = {}
    for number, *row in cursor.fetchall():
        found.setdefault(number, []).append(Answers(*row))
    return found
