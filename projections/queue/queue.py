"""The queue: what is due, what is on its way, what is left. For lists see projections.queue.items."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.campaign.state import SENDING
from domain.delivery.delivery import Status
from domain.delivery.waiting import DueCampaign
from domain.streams import delivery_stream
from projections.following.batch import NUMBERS
from projections.queue.fold import CANCELS_QUEUED

COUNTS = f"SELECT {', '.join(f'coalesce(sum({status}), 0)' for status in Status)} FROM queue_campaigns"  # noqa: S608

MAY_SEND = f"state IN {tuple(map(str, SENDING))}"

IS_TO_SEND = f"""
    SELECT EXISTS (SELECT FROM queue_campaigns
                   WHERE queued > 0 AND state <> 'cancelled'
                      OR NOT transactional AND NOT queueing_finished
                         AND (state IN ('scheduled', 'paused') OR {MAY_SEND}))
"""  # noqa: S608 - of a constant

NEXT_SCHEDULED = f"""
    SELECT min(due) FROM (
        SELECT (SELECT due FROM queue q WHERE q.campaign = c.campaign AND q.status = %(queued)s
                ORDER BY due LIMIT 1)
        FROM queue_campaigns c WHERE c.{MAY_SEND} AND c.queued > 0
        UNION ALL
        SELECT send_at FROM queue_campaigns WHERE state = 'scheduled'
    ) AS waiting (due)
"""  # noqa: S608 - of a constant

NEXT_DUE = f"""
    SELECT min(due) FROM (
        SELECT (SELECT due FROM queue q WHERE q.campaign = c.campaign AND q.status = %(queued)s
                  AND q.due > %(now)s ORDER BY due LIMIT 1)
        FROM queue_campaigns c WHERE c.{MAY_SEND} AND c.queued > 0
    ) AS waiting (due)
"""  # noqa: S608 - of a constant

WITH_WORK = f"""
    SELECT campaign, priority, messenger FROM queue_campaigns
    WHERE {MAY_SEND} AND queued > 0
    ORDER BY campaign
"""  # noqa: S608 - of a constant

# One look into the index queue_due a campaign.
WITH_DUE = f"""
    SELECT DISTINCT priority, messenger FROM queue_campaigns c
    WHERE c.{MAY_SEND} AND c.queued > 0
      AND (SELECT due FROM queue q WHERE q.campaign = c.campaign AND q.status = %(queued)s
           ORDER BY due LIMIT 1) <= %(now)s
"""  # noqa: S608 - of a constant

WITH_UNSENT = "SELECT campaign FROM queue_campaigns WHERE queued + sending > 0"

TO_QUEUE = """
    SELECT campaign FROM queue_campaigns
    WHERE state IN ('running', 'paused') AND NOT queueing_finished AND NOT transactional
    ORDER BY campaign
"""

DRAINED = """
    SELECT campaign FROM queue_campaigns
    WHERE state = 'running' AND queueing_finished AND queued + sending = 0
    ORDER BY campaign
"""

# The whole range is one stretch of the index queue_due, so the number of rows behind the limit costs
# nothing; nor do the entries before `after` that a vacuum has not removed yet.
DUE = """
    SELECT campaign, recipient, version, attempts, interruptions, nullif(server, 0), due, first_failed_at
    FROM queue
    WHERE campaign = %(campaign)s AND status = %(queued)s AND due <= %(now)s
      AND (due, recipient) > (%(after_due)s::timestamptz, %(after_recipient)s)
      AND (%(of)s = 1 OR recipient %% %(of)s = %(rank)s)
    ORDER BY due, recipient LIMIT %(limit)s
"""

IN_FLIGHT = """
    SELECT q.campaign, q.recipient, q.version, q.server
    FROM queue_campaigns c JOIN queue q ON q.campaign = c.campaign AND q.status = %(sending)s
    WHERE c.sending > 0
    ORDER BY q.campaign, q.recipient
"""

STARTED_BY = """
    SELECT s.place
    FROM unnest(%s::uuid[], %s::integer[]) WITH ORDINALITY AS s (stream_id, version, place)
    JOIN events e ON e.stream_id = s.stream_id AND e.version = s.version
    WHERE convert_from(e.state, 'UTF8')::jsonb->>'by' = ANY (%s)
    ORDER BY s.place
"""


class CampaignWithWork(NamedTuple):
    """`server` is the only one to use, None for automatic."""

    campaign: int
    priority: str
    server: int | None


class Due(NamedTuple):
    """A delivery that may be tried. The next event in its stream has `version` + 1. `server` is the
    last one tried."""

    campaign: int
    recipient: int
    version: int
    attempts: int
    interruptions: int
    server: int | None
    due: datetime
    first_failed_at: datetime | None


class InFlight(NamedTuple):
    """An attempt without an outcome; `version` is that of its AttemptStarted."""

    campaign: int
    recipient: int
    version: int
    server: int


def counts(cursor: Any) -> dict[str, int]:
    """Deliveries by status, all statuses present."""
    cursor.execute(COUNTS)
    return {status.value: int(n) for status, n in zip(Status, cursor.fetchone(), strict=True)}


def is_to_send(cursor: Any) -> bool:
    """Whether something waits for a processor, now or later: deliveries, or a campaign that queues some."""
    cursor.execute(IS_TO_SEND)
    return bool(cursor.fetchone()[0])


def next_scheduled_at(cursor: Any) -> datetime | None:
    """When the first delivery that waits in a running campaign is to be tried, or a scheduled campaign
    to start. It may lie in the past: then capacity or the calendar holds it."""
    cursor.execute(NEXT_SCHEDULED, NUMBERS)
    found: datetime | None = cursor.fetchone()[0]
    return found


def next_due_after(cursor: Any, now: datetime) -> datetime | None:
    """When the next delivery becomes due that is not due yet."""
    cursor.execute(NEXT_DUE, {**NUMBERS, "now": now})
    found: datetime | None = cursor.fetchone()[0]
    return found


def campaigns_with_work(cursor: Any) -> list[CampaignWithWork]:
    """Campaigns that may send and have something in the queue, due or not. In a finished one that is what
    somebody has put back."""
    cursor.execute(WITH_WORK)
    return [CampaignWithWork(*row) for row in cursor.fetchall()]


def due_campaigns(cursor: Any, now: datetime) -> list[DueCampaign]:
    """Those that want servers now, alike ones once."""
    cursor.execute(WITH_DUE, {**NUMBERS, "now": now})
    return [DueCampaign(*row) for row in cursor.fetchall()]


def campaigns_with_unsent(cursor: Any) -> set[int]:
    """Campaigns of which something waits or is on its way, whatever they may do."""
    cursor.execute(WITH_UNSENT)
    return {campaign for (campaign,) in cursor.fetchall()}


def campaigns_to_queue(cursor: Any) -> list[int]:
    """Started campaigns whose audience is not wholly in the queue, paused ones too."""
    cursor.execute(TO_QUEUE)
    return [campaign for (campaign,) in cursor.fetchall()]


def drained_campaigns(cursor: Any) -> list[int]:
    """Running campaigns that have nothing left to do."""
    cursor.execute(DRAINED)
    return [campaign for (campaign,) in cursor.fetchall()]


def cancelled_campaigns(cursor: Any, among: Collection[int]) -> set[int]:
    cursor.execute(
        f"SELECT campaign FROM queue_campaigns c WHERE campaign = ANY (%s) AND {CANCELS_QUEUED}",  # noqa: S608
        (list(among),),
    )
    return {campaign for (campaign,) in cursor.fetchall()}


def due(
    cursor: Any,
    campaign: int,
    now: datetime,
    limit: int,
    after: tuple[datetime, int] | None = None,
    share: tuple[int, int] = (0, 1),
) -> list[Due]:
    """The campaign's deliveries that may be tried now, the one that waits longest first.

    `after` is (due, recipient) of the last row that a search a moment ago gave; start without it now
    and then, since what was put back in the queue may lie before. `share` is (rank, of): only
    recipients whose number modulo `of` is `rank`.
    """
    rank, of = share
    after_due, after_recipient = after or ("-infinity", 0)
    cursor.execute(
        DUE,
        {
            **NUMBERS,
            "campaign": campaign,
            "now": now,
            "limit": limit,
            "after_due": after_due,
            "after_recipient": after_recipient,
            "rank": rank,
            "of": of,
        },
    )
    return [Due(*row) for row in cursor.fetchall()]


def in_flight(cursor: Any, processors: Sequence[int]) -> list[InFlight]:
    """Attempts that these processors started and that have no outcome, as far as is projected."""
    cursor.execute(IN_FLIGHT, NUMBERS)
    sending = [InFlight(*row) for row in cursor.fetchall()]
    cursor.execute(
        STARTED_BY,
        (
            [str(delivery_stream(attempt.campaign, attempt.recipient)) for attempt in sending],
            [attempt.version for attempt in sending],
            [f"processor:{number}" for number in processors],
        ),
    )
    return [sending[place - 1] for (place,) in cursor.fetchall()]
