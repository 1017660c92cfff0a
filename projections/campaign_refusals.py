"""What servers and rules said no with, for each campaign, alike wordings counted together."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from domain.delivery.delivery import Status
from projections.following.batch import EventBatch
from projections.following.projection import Projection
from projections.refusals import OUTCOMES, TOPICS, WORDED

TABLE = """
    CREATE TABLE campaign_refusals (
        campaign integer     NOT NULL,
        outcome  smallint    NOT NULL,
        about    text        NOT NULL,
        wording  text        NOT NULL,
        n        integer     NOT NULL,
        last_at  timestamptz NOT NULL,
        PRIMARY KEY (campaign, outcome, about, wording)
    ) WITH (fillfactor = 70)
"""

COUNT = f"""
    INSERT INTO campaign_refusals AS r
    SELECT campaign, status, coalesce(about, ''), wording, count(*), max(at)
    FROM (
        {WORDED}
    ) AS worded
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (campaign, outcome, about, wording) DO UPDATE SET
        n = r.n + excluded.n, last_at = greatest(r.last_at, excluded.last_at)
"""  # noqa: S608 - of a constant


class GroupedReply(NamedTuple):
    """`outcome` is the state that the reply led to: queued to be tried again. `about` is whom the reply
    speaks of, empty when that is not known."""

    outcome: Status
    about: str
    wording: str
    n: int
    last_at: datetime


def fold(cursor: Any, batch: EventBatch) -> None:
    if batch.has(TOPICS):
        cursor.execute(COUNT, (OUTCOMES,))


PROJECTION = Projection(
    name="campaign_refusals", tables={"campaign_refusals": TABLE}, topics=TOPICS, fold=fold
)


def replies(cursor: Any, campaign: int, limit: int = 20) -> list[GroupedReply]:
    """The most frequent first."""
    cursor.execute(
        "SELECT outcome, about, wording, n, last_at FROM campaign_refusals WHERE campaign = %s"
        " ORDER BY n DESC, last_at DESC LIMIT %s",
        (campaign, limit),
    )
    return [GroupedReply(Status.of(outcome), *row) for outcome, *row in cursor.fetchall()]
