"""All projections, in the order in which a batch is applied."""

from __future__ import annotations

from projections import (
    campaign_progress,
    campaign_refusals,
    daily_usage,
    refusals,
    rolling_usage,
    server_health,
    servers,
    templates,
)
from projections.following.projection import Projection
from projections.queue import fold as queue_fold

PROJECTIONS: tuple[Projection, ...] = (
    queue_fold.PROJECTION,
    campaign_progress.PROJECTION,
    servers.PROJECTION,
    templates.PROJECTION,
    rolling_usage.PROJECTION,
    daily_usage.PROJECTION,
    server_health.PROJECTION,
    refusals.PROJECTION,
    campaign_refusals.PROJECTION,
)
TOPICS: frozenset[str] = frozenset().union(*(projection.topics for projection in PROJECTIONS))
