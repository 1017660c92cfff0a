"""What the dashboard is made from, read from the projections in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from application.finishes import Finishes
from domain.delivery.waiting import CampaignState, why_it_waits
from projections import availability, campaign_progress, refusals, server_health
from projections.availability import Capacity
from projections.campaign_progress import Progress
from projections.queue import queue
from projections.server_health import Answers
from storage import processors
from web.pages.dashboard.chart import Bucket, Chart, chart
from web.pages.dashboard.model import CampaignReading, Oldest, Readings, Refusals
from web.pages.servers.server_charts import of_all_by_day

STRETCH = timedelta(seconds=10)
STRETCHES = 90
SHOWN_CAMPAIGNS = 12
PACE_OVER = timedelta(minutes=1)
NO_PACE_UNDER = timedelta(seconds=5)
REFUSALS_OVER = timedelta(hours=24)
OUTCOMES = {0: "tried again", 3: "failed", 5: "outcome unknown"}

OLDEST = """
    SELECT c.campaign, q.due, q.queued_at, q.attempts
    FROM queue_campaigns c CROSS JOIN LATERAL (
        SELECT due, queued_at, attempts FROM queue
        WHERE campaign = c.campaign AND status = 0 ORDER BY due, recipient LIMIT 1) q
    WHERE c.queued > 0 AND c.state <> 'cancelled'
    ORDER BY q.queued_at LIMIT 1
"""


class Pace:
    """How fast campaigns have moved of late, from what was seen of them within the last minute."""

    def __init__(self) -> None:
        self._seen: dict[int, deque[tuple[datetime, int]]] = {}

    def rate(self, campaign: int, now: datetime, sent: int) -> float:
        """E-mails a minute; 0 as long as too little was seen."""
        seen = self._seen.setdefault(campaign, deque())
        while seen and now - seen[0][0] > PACE_OVER:
            seen.popleft()
        seen.append((now, sent))
        elapsed = now - seen[0][0]
        if elapsed < NO_PACE_UNDER:
            return 0.0
        return (sent - seen[0][1]) / (elapsed / timedelta(minutes=1))


class Reader:
    def __init__(self) -> None:
        self._pace = Pace()
        self._finishes = Finishes()

    def read(self, cursor: Any, now: datetime) -> Readings:
        capacity = availability.capacity(cursor, now)
        counts = queue.counts(cursor)
        shown = shown_campaigns(cursor)
        first = floor(now) - (STRETCHES - 1) * STRETCH
        running = [campaign.campaign for campaign in shown if campaign.state == "running"]
        finishes = self._finishes.foreseen(cursor, running, now)
        answers = server_health.throughput(cursor, first)
        return Readings(
            capacity=capacity,
            counts=counts,
            chart=last_minutes(answers, first),
            usage=of_all_by_day(cursor, now.astimezone(ZoneInfo(capacity.timezone)).date()),
            processors=len(processors.alive(cursor, processors.database_time(cursor), processors.SILENCE)),
            people=people(cursor),
            rate=recent_rate(answers, now),
            next_at=queue.next_scheduled_at(cursor),
            oldest=oldest(cursor, capacity),
            campaigns=[self.reading(campaign, now, finishes.get(campaign.campaign)) for campaign in shown],
            campaigns_in_all=campaigns_in_all(cursor),
            refusals=[told(one) for one in refusals.recent(cursor, now - REFUSALS_OVER)],
        )

    def reading(self, campaign: Progress, now: datetime, finish: datetime | None) -> CampaignReading:
        return CampaignReading(
            number=campaign.campaign,
            name=campaign.name,
            state=campaign.state,
            counts=campaign.counts,
            reason=campaign.reason,
            send_at=campaign.send_at,
            finish=finish,
            finished_at=campaign.ended_at if campaign.state == "finished" else None,
            rate=self._pace.rate(campaign.campaign, now, campaign.counts["sent"]),
        )


def shown_campaigns(cursor: Any) -> list[Progress]:
    """Those under way, then those that are over, newest first."""
    active = campaign_progress.campaigns(cursor, ["running", "paused", "scheduled"], SHOWN_CAMPAIGNS)
    others = campaign_progress.campaigns(cursor, ["draft", "finished", "cancelled"], SHOWN_CAMPAIGNS)
    return (active + others)[:SHOWN_CAMPAIGNS]


def floor(now: datetime) -> datetime:
    return now - timedelta(seconds=now.second % STRETCH.seconds, microseconds=now.microsecond)


def last_minutes(answers: Sequence[Answers], first: datetime) -> Chart:
    sums = [[0, 0, 0] for _ in range(STRETCHES)]
    for one in answers:
        slot = (one.start - first) // STRETCH
        if 0 <= slot < STRETCHES:
            sums[slot][0] += one.accepted
            sums[slot][1] += one.deferred
            sums[slot][2] += one.failed
    buckets = [Bucket(first + slot * STRETCH, *counts) for slot, counts in enumerate(sums)]
    return chart(buckets, f"{STRETCH.seconds} seconds")


def recent_rate(answers: Sequence[Answers], now: datetime) -> float:
    """E-mails a minute, over the last one."""
    since = now - timedelta(minutes=1)
    return sum(one.accepted for one in answers if one.start >= since)


def oldest(cursor: Any, capacity: Capacity) -> Oldest | None:
    cursor.execute(OLDEST)
    row = cursor.fetchone()
    if row is None:
        return None
    number, due, queued_at, attempts = row
    campaign = campaign_progress.progress(cursor, number)
    if campaign is None:
        return None
    waiting = why_it_waits(
        state_of(campaign),
        now=capacity.now,
        again=due if attempts else None,
        opens=capacity.opens,
        gates=[server.gate for server in capacity.servers],
        queue_paused=capacity.queue_paused,
        failing=capacity.failing,
    )
    return Oldest(campaign=campaign.name, since=queued_at, waiting=waiting)


def state_of(campaign: Progress) -> CampaignState:
    return CampaignState(
        state=campaign.state,
        messenger=campaign.messenger,
        send_at=campaign.send_at,
        reason=campaign.reason,
    )


def people(cursor: Any) -> int:
    """1 when there is anybody: nobody needs to know how many here."""
    cursor.execute("SELECT count(*) FROM (SELECT FROM recipients LIMIT 1) AS anybody")
    return int(cursor.fetchone()[0])


def campaigns_in_all(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM queue_campaigns WHERE NOT transactional")
    return int(cursor.fetchone()[0])


def told(one: refusals.Refusal) -> Refusals:
    about = f", about the {one.about}" if one.about else ""
    servers = f" · {', '.join(one.servers)}" if one.servers else ""
    return Refusals(
        count=one.n,
        reply=one.wording,
        what=f"{OUTCOMES[one.outcome]}{about}{servers}",
        last_at=one.last_at,
    )
