"""Figures for the dashboard, as the projections would have them."""

from __future__ import annotations

from datetime import timedelta

from application.dashboard.model import CampaignReading, Oldest, Readings
from domain.delivery.waiting import Waiting
from projections.availability import Availability, Capacity
from projections.daily_usage import Outcomes
from tests.web.world import NOON
from web.pages.dashboard.chart import Bucket, chart
from web.pages.servers.server_charts import thirty_days


def server(
    name: str = "alpha", limit: int = 1000, used: int = 0, closed: Waiting | None = None, failed: int = 0
) -> Availability:
    return Availability(
        number=1, name=name, from_email=f"{name}@example.com", enabled=True, closed=closed,
        daily_limit=limit, daily_used=used, sent_today=used - failed, failed_today=failed,
    )  # fmt: skip


def readings(
    counts: dict[str, int],
    *servers: Availability,
    rate: float = 0,
    oldest: Waiting | None = None,
    campaigns: list[CampaignReading] | None = None,
    queue_paused: bool = False,
    processors: int = 1,
) -> Readings:
    return Readings(
        capacity=Capacity(
            now=NOON, timezone="UTC", opens=NOON, servers=list(servers), queue_paused=queue_paused
        ),
        counts=counts,
        chart=chart([Bucket(NOON)], "minute"),
        usage=thirty_days({NOON.date(): Outcomes(NOON.date(), 7, 0, 2)}, NOON.date() - timedelta(days=29)),
        processors=processors,
        people=1,
        rate=rate,
        oldest=Oldest(campaign="Spring letter", since=NOON, waiting=oldest) if oldest else None,
        campaigns=campaigns or [],
    )
