"""What each server was reserved and did, by local date."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from domain.capacity.capacity import Reserved, Returned
from domain.delivery.delivery import NAMING_SERVERS
from projections.following.batch import NUMBERS, EventBatch
from projections.following.projection import Projection

TABLE = """
    CREATE TABLE daily_usage (
        server   integer NOT NULL,
        day      date    NOT NULL,
        reserved integer NOT NULL,
        unused   integer NOT NULL,
        refused  integer NOT NULL,
        attempts integer NOT NULL,
        accepted integer NOT NULL,
        deferred integer NOT NULL,
        failed   integer NOT NULL,
        unknown  integer NOT NULL,
        PRIMARY KEY (server, day)
    ) WITH (fillfactor = 50)
"""

# The date of an attempt, and of what came of it, is that of the reservation that the attempt names; an
# outcome is one version after its attempt, or two when the outcome was unknown at first. Attempts that
# are not in this batch, and reservations, are looked up in the log.
COUNT = """
    WITH outcomes AS MATERIALIZED (
        SELECT o.stream, o.version, o.status, a.server, a.reservation, o.version - a.version AS distance
        FROM batch o LEFT JOIN batch a ON a.campaign = o.campaign AND a.number = o.number
             AND a.status = %(sending)s AND a.version IN (o.version - 1, o.version - 2)
        WHERE o.status <> %(sending)s AND o.server IS NOT NULL
    ), found AS (
        SELECT server, reservation, %(sending)s AS status, 1 AS distance, count(*) AS n
        FROM batch WHERE status = %(sending)s GROUP BY server, reservation
        UNION ALL
        SELECT server, reservation, status, distance, count(*)
        FROM outcomes WHERE distance IS NOT NULL GROUP BY 1, 2, 3, 4
        UNION ALL
        SELECT (a.state->>'server')::integer, (a.state->>'reservation')::integer, o.status,
               o.version - a.version, 1
        FROM outcomes o CROSS JOIN LATERAL (
            SELECT version, convert_from(state, 'UTF8')::jsonb AS state FROM events e
            WHERE e.stream_id = o.stream AND e.version IN (o.version - 1, o.version - 2)
              AND e.topic = 'delivery.attempt_started'
            OFFSET 0) a
        WHERE o.distance IS NULL
    ), used AS (
        SELECT server, reservation,
               sum(n) FILTER (WHERE status = %(sending)s) AS attempts,
               sum(n) FILTER (WHERE status = %(sent)s) AS accepted,
               sum(n) FILTER (WHERE status = %(queued)s AND distance = 1) AS deferred,
               sum(n) FILTER (WHERE status = %(failed)s) AS failed,
               coalesce(sum(n) FILTER (WHERE status = %(unknown)s AND distance = 1), 0)
                   - coalesce(sum(n) FILTER (WHERE status IN (%(sent)s, %(failed)s) AND distance = 2), 0)
                   AS unknown
        FROM found GROUP BY server, reservation
    ), named AS (
        SELECT server, reservation, 0 AS unused, 0 AS refused, attempts, accepted, deferred, failed, unknown
        FROM used
        UNION ALL
        SELECT number, (state->>'reservation')::integer, coalesce((state->>'unused')::integer, 0),
               coalesce((state->>'refused')::integer, 0), 0, 0, 0, 0, 0
        FROM batch WHERE topic = 'capacity.returned'
    ), dated AS (
        SELECT n.server, convert_from(r.state, 'UTF8')::jsonb->>'day' AS day, 0 AS reserved, n.unused,
               n.refused, n.attempts, n.accepted, n.deferred, n.failed, n.unknown
        FROM named n JOIN events r ON r.version = n.reservation AND r.topic = 'capacity.reserved'
         AND r.stream_id = ('00000000-0005-8000-8000-0000' || lpad(to_hex(n.server), 8, '0'))::uuid
        UNION ALL
        SELECT number, state->>'day', (state->>'n')::integer, 0, 0, 0, 0, 0, 0, 0
        FROM batch WHERE topic = 'capacity.reserved'
    )
    INSERT INTO daily_usage AS d
    SELECT server, day::date, sum(reserved), sum(unused), sum(refused), coalesce(sum(attempts), 0),
           coalesce(sum(accepted), 0), coalesce(sum(deferred), 0), coalesce(sum(failed), 0),
           coalesce(sum(unknown), 0)
    FROM dated GROUP BY 1, 2
    ON CONFLICT (server, day) DO UPDATE SET
        reserved = d.reserved + excluded.reserved, unused = d.unused + excluded.unused,
        refused = d.refused + excluded.refused, attempts = d.attempts + excluded.attempts,
        accepted = d.accepted + excluded.accepted, deferred = d.deferred + excluded.deferred,
        failed = d.failed + excluded.failed, unknown = d.unknown + excluded.unknown
"""

TOPICS = NAMING_SERVERS | {Reserved.TOPIC, Returned.TOPIC}


def fold(cursor: Any, _batch: EventBatch) -> None:
    cursor.execute(COUNT, NUMBERS)


PROJECTION = Projection(name="daily_usage", tables={"daily_usage": TABLE}, topics=TOPICS, fold=fold)


class Usage(NamedTuple):
    """Of `reserved` units, `unused` ones were given to no attempt, and `refused` ones to attempts that
    certainly ended before the final dot: both came back. `attempts` counts all that started."""

    server: int
    day: date
    reserved: int
    unused: int
    refused: int
    attempts: int
    accepted: int
    deferred: int
    failed: int
    unknown: int

    @property
    def used(self) -> int:
        """What counts against the daily limit: reserved and not returned."""
        return self.reserved - self.unused - self.refused


def usage_on(cursor: Any, day: date) -> dict[int, Usage]:
    """By server, those without any left out."""
    cursor.execute("SELECT * FROM daily_usage WHERE day = %s", (day,))
    return {row[0]: Usage(*row) for row in cursor.fetchall()}


class Outcomes(NamedTuple):
    day: date
    accepted: int
    deferred: int
    failed: int


def by_day(cursor: Any, since: date) -> list[Outcomes]:
    """What became of the attempts of all servers together, oldest first; days without any left out."""
    cursor.execute(
        "SELECT day, sum(accepted)::integer, sum(deferred)::integer, sum(failed)::integer"
        " FROM daily_usage WHERE day >= %s GROUP BY day ORDER BY day",
        (since,),
    )
    return [Outcomes(*row) for row in cursor.fetchall()]


def history(cursor: Any, since: date, server: int | None = None) -> list[Usage]:
    """By day, oldest first, and server."""
    cursor.execute(
        "SELECT * FROM daily_usage WHERE day >= %(since)s"
        " AND (%(server)s::integer IS NULL OR server = %(server)s) ORDER BY day, server",
        {"since": since, "server": server},
    )
    return [Usage(*row) for row in cursor.fetchall()]
