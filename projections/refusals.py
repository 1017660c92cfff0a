"""What servers and rules said no with, alike wordings counted together, by the hour."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from domain.delivery.delivery import Status
from projections.following.batch import EventBatch
from projections.following.projection import Projection

OUTCOMES = [Status.QUEUED.number, Status.FAILED.number, Status.UNKNOWN.number]

# `server` is 0 where none was asked. `outcome` is the status that the delivery went to.
TABLE = """
    CREATE TABLE refusals (
        hour    timestamptz NOT NULL,
        server  integer     NOT NULL,
        outcome smallint    NOT NULL,
        about   text        NOT NULL,
        wording text        NOT NULL,
        n       integer     NOT NULL,
        last_at timestamptz NOT NULL,
        PRIMARY KEY (hour, server, outcome, about, wording)
    ) WITH (fillfactor = 70)
"""

# Replies name queue ids, times and addresses of their own: words with a digit in them, after the codes,
# become an ellipsis, so that what means the same is counted together.
WORDED = r"""
    SELECT campaign, at, server, status, about,
           left(substring(reply FROM '^[0-9. -]*')
                || regexp_replace(substring(reply FROM '^[0-9. -]*(.*)$'), '\S*[0-9]\S*', '…', 'g'), 300)
               AS wording
    FROM batch
    WHERE status = ANY (%s) AND reply IS NOT NULL AND topic <> 'delivery.requeued'
"""

COUNT = f"""
    INSERT INTO refusals AS r
    SELECT date_bin('1 hour', at, 'epoch'), coalesce(server, 0), status, coalesce(about, ''), wording,
           count(*), max(at)
    FROM (
        {WORDED}
    ) AS worded
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (hour, server, outcome, about, wording) DO UPDATE SET
        n = r.n + excluded.n, last_at = greatest(r.last_at, excluded.last_at);
    DELETE FROM refusals WHERE hour < (SELECT max(hour) FROM refusals) - interval '30 days'
"""  # noqa: S608 - of a constant

RECENT = """
    SELECT f.outcome, f.about, f.wording, sum(f.n)::bigint, max(f.last_at),
           coalesce(array_agg(DISTINCT s.name) FILTER (WHERE s.name IS NOT NULL), '{}')
    FROM refusals f LEFT JOIN servers s ON s.server = f.server
    WHERE f.hour >= %s - interval '1 hour' AND f.last_at >= %s
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 5 DESC LIMIT %s
"""

TOPICS = frozenset({"delivery.deferred", "delivery.failed", "delivery.outcome_unknown"})


class CountedRefusal(NamedTuple):
    """`outcome` is the state that the reply led to: queued to be tried again. `about` is whom the reply
    speaks of, empty when that is not known."""

    outcome: Status
    about: str
    wording: str
    n: int
    last_at: datetime
    servers: list[str]


def fold(cursor: Any, batch: EventBatch) -> None:
    if batch.has(TOPICS):
        cursor.execute(COUNT, (OUTCOMES,))


PROJECTION = Projection(name="refusals", tables={"refusals": TABLE}, topics=TOPICS, fold=fold)


def recent(cursor: Any, since: datetime, limit: int = 10) -> list[CountedRefusal]:
    """The most frequent first; of hours that reach beyond `since`."""
    cursor.execute(RECENT, (since, since, limit))
    return [CountedRefusal(Status.of(outcome), *row) for outcome, *row in cursor.fetchall()]
