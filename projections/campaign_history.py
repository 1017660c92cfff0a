"""What was done with a campaign and by whom, read from its streams."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from domain.campaign.estimate import Estimated
from domain.delivery.delivery import Status
from domain.streams import campaign_stream, estimate_stream, send_test_stream
from projections.following.batch import NUMBERS
from projections.queue.fold import SHOWN

# The start of a test e-mail whose end is known says nothing more.
HISTORY = """
    SELECT topic, recorded_at, convert_from(state, 'UTF8')::jsonb FROM events e
    WHERE stream_id = ANY (%s::uuid[]) AND NOT (topic = 'campaign.test_started' AND EXISTS (
        SELECT FROM events ended WHERE ended.stream_id = e.stream_id AND ended.topic = 'campaign.tried'
           AND (convert_from(ended.state, 'UTF8')::jsonb->>'started')::integer = e.version))
    ORDER BY position DESC LIMIT %s
"""

LAST = """
    SELECT version, convert_from(state, 'UTF8')::jsonb FROM events
    WHERE stream_id = %s ORDER BY version DESC LIMIT 1
"""

SPLIT = f"""
    SELECT q.server, {SHOWN} AS status, sum(q.n)
    FROM queue_counts q JOIN queue_campaigns c ON c.campaign = q.campaign
    WHERE q.campaign = %(campaign)s AND q.n > 0 AND q.server > 0
    GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - of a constant


class CampaignEvent(NamedTuple):
    topic: str
    at: datetime
    state: dict[str, Any]

    @property
    def by(self) -> str:
        return str(self.state.get("by", ""))


def history(cursor: Any, campaign: int, limit: int = 100) -> list[CampaignEvent]:
    """Newest first."""
    streams = [str(campaign_stream(campaign)), str(send_test_stream(campaign))]
    cursor.execute(HISTORY, (streams, limit))
    return [CampaignEvent(*row) for row in cursor.fetchall()]


def last_estimate(cursor: Any, campaign: int) -> Estimated | None:
    """What it was started with, once it was started."""
    stream = estimate_stream(campaign)
    cursor.execute(LAST, (str(stream),))
    row = cursor.fetchone()
    if row is None:
        return None
    version, state = row
    return Estimated(originator_id=stream, originator_version=version, **state)


def by_server(cursor: Any, campaign: int) -> dict[int, dict[Status, int]]:
    """Numbers of deliveries by state, as it is shown, all states present, for each server that was the last
    one tried."""
    cursor.execute(SPLIT, {**NUMBERS, "campaign": campaign})
    found: dict[int, dict[Status, int]] = {}
    for server, status, n in cursor.fetchall():
        found.setdefault(server, dict.fromkeys(Status, 0))[Status.of(status)] = int(n)
    return found
