"""Models for the dashboard, as the projections would have them."""

from __future__ import annotations

from application.dashboard.model import CampaignStanding, DashboardModel, OldestQueued
from application.dashboard.throughput import Interval, last_days
from domain.delivery.waiting import Waiting
from domain.server.availability import Closed, Open, SendingState
from projections.availability import Availability, SendingCapacity
from projections.daily_usage import Outcomes
from tests.web.world import NOON


def server(
    name: str = "alpha", limit: int = 1000, used: int = 0, closed: Closed | None = None, failed: int = 0
) -> Availability:
    return Availability(
        number=1, name=name, from_email=f"{name}@example.com", enabled=True, answer=closed or Open(),
        daily_limit=limit, daily_used=used, sent_today=used - failed, failed_today=failed,
    )  # fmt: skip


def model(
    counts: dict[str, int],
    *servers: Availability,
    rate: float = 0,
    oldest: Waiting | None = None,
    campaigns: list[CampaignStanding] | None = None,
    queue_paused: bool = False,
) -> DashboardModel:
    return DashboardModel(
        capacity=SendingCapacity(
            now=NOON,
            timezone="UTC",
            opens=NOON,
            servers=list(servers),
            sending=SendingState(queue_paused=queue_paused),
        ),
        counts=counts,
        throughput=[Interval(NOON)],
        usage=last_days({NOON.date(): Outcomes(NOON.date(), 7, 0, 2)}, NOON.date()),
        has_people=True,
        rate=rate,
        oldest=OldestQueued(campaign="Spring letter", since=NOON, waiting=oldest) if oldest else None,
        campaigns=campaigns or [],
    )
