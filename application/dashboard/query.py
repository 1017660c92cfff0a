"""The dashboard query: what the dashboard is made from, read from the projections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from application.dashboard.model import CampaignStanding, DashboardModel, OldestQueued, Rejections
from application.dashboard.paces import Paces
from application.dashboard.throughput import Interval, days_of_all, last_minutes
from application.forecasts.finishes import Finishes
from application.installation import Installation
from application.queue.deliveries import state_of
from domain.campaign.state import OVER, STARTED, State
from domain.delivery.delivery import Status
from projections import availability, campaign_progress, refusals
from projections.availability import SendingCapacity
from projections.campaign_progress import Progress
from projections.following.batch import NUMBERS
from projections.queue import queue

SHOWN_CAMPAIGNS = 12
REJECTIONS_OVER = timedelta(hours=24)

OUTCOMES = {Status.QUEUED: "deferred", Status.FAILED: "failed", Status.UNKNOWN: "outcome unknown"}

OLDEST = """
    SELECT c.campaign, q.due, q.queued_at
    FROM queue_campaigns c CROSS JOIN LATERAL (
        SELECT due, queued_at FROM queue
        WHERE campaign = c.campaign AND status = %(queued)s ORDER BY due, recipient LIMIT 1) q
    WHERE c.queued > 0
    ORDER BY q.queued_at LIMIT 1
"""


class DashboardQuery:
    """Keeps what it has seen of campaigns from one reading to the next: ask the same one again."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._paces = Paces()
        self._finishes = Finishes()

    def read(self) -> DashboardModel:
        with self._installation.reading() as cursor:
            return self._read(cursor, self._installation.clock.now())

    def _read(self, cursor: Any, now: datetime) -> DashboardModel:
        capacity = availability.capacity(cursor, now)
        shown = shown_campaigns(cursor)
        running = [campaign.campaign for campaign in shown if campaign.state is State.RUNNING]
        finishes = self._finishes.expected(cursor, running, now)
        throughput = last_minutes(cursor, now)
        return DashboardModel(
            capacity=capacity,
            counts=queue.counts(cursor),
            throughput=throughput,
            usage=days_of_all(cursor, now.astimezone(ZoneInfo(capacity.timezone)).date()),
            nobody_sends=availability.nobody_sends(cursor),
            has_people=has_people(cursor),
            rate=recent_rate(throughput, now),
            next_at=queue.next_scheduled_at(cursor),
            oldest=oldest(cursor, capacity),
            campaigns=[self._standing(campaign, now, finishes.get(campaign.campaign)) for campaign in shown],
            campaigns_in_all=campaigns_in_all(cursor),
            rejections=[rejections(one) for one in refusals.recent(cursor, now - REJECTIONS_OVER)],
        )

    def _standing(self, campaign: Progress, now: datetime, finish: datetime | None) -> CampaignStanding:
        return CampaignStanding(
            number=campaign.campaign,
            name=campaign.name,
            state=campaign.state,
            counts=campaign.counts,
            reason=campaign.reason,
            send_at=campaign.send_at,
            finish=finish,
            finished_at=campaign.ended_at if campaign.state is State.FINISHED else None,
            rate=self._paces.rate(campaign.campaign, now, campaign.counts["sent"]),
        )


def shown_campaigns(cursor: Any) -> list[Progress]:
    """Those under way, then those that are over, newest first."""
    active = campaign_progress.campaigns(cursor, [*STARTED, State.SCHEDULED], SHOWN_CAMPAIGNS)
    others = campaign_progress.campaigns(cursor, [State.DRAFT, *OVER], SHOWN_CAMPAIGNS)
    return (active + others)[:SHOWN_CAMPAIGNS]


def recent_rate(throughput: Sequence[Interval], now: datetime) -> float:
    """E-mails a minute, over the last one."""
    since = now - timedelta(minutes=1)
    return sum(one.accepted for one in throughput if one.at >= since)


def oldest(cursor: Any, capacity: SendingCapacity) -> OldestQueued | None:
    cursor.execute(OLDEST, NUMBERS)
    row = cursor.fetchone()
    if row is None:
        return None
    number, due, queued_at = row
    campaign = campaign_progress.progress(cursor, number)
    if campaign is None:
        return None
    waiting = capacity.why_it_waits(state_of(campaign), due)
    return OldestQueued(campaign=campaign.name, since=queued_at, waiting=waiting)


def has_people(cursor: Any) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM recipients)")
    return bool(cursor.fetchone()[0])


def campaigns_in_all(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM queue_campaigns WHERE NOT transactional")
    return int(cursor.fetchone()[0])


def rejections(one: refusals.CountedRefusal) -> Rejections:
    about = f", about the {one.about}" if one.about else ""
    servers = f" · {', '.join(one.servers)}" if one.servers else ""
    return Rejections(
        count=one.n,
        reply=one.wording,
        what=f"{OUTCOMES[one.outcome]}{about}{servers}",
        last_at=one.last_at,
    )
