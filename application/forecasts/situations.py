"""The situation that a forecast is made from: what the projections say now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from application.forecasts.audiences import Audiences
from domain.campaign.estimate import Estimated
from domain.campaign.state import NOT_STARTED, State
from domain.errors import Missing
from domain.forecast.bottleneck import Situation
from domain.forecast.forecast import Demand, Forecast
from domain.forecast.sender import Sender
from domain.policy import SendingPolicy
from domain.server.availability import usable_from
from domain.server.settings import ServerSettings
from domain.streams import estimate_stream
from projections import (
    availability,
    campaign_history,
    campaign_progress,
    daily_usage,
    rolling_usage,
    server_health,
    servers,
)
from projections.campaign_progress import Progress
from projections.servers import Server

LEAST_RATE = 1.0
"""E-mails a second: what a server did lately may have been all there was to do, so it is taken to send so
fast at least."""

UNDER_WAY = (State.RUNNING, State.SCHEDULED)
MOST_CAMPAIGNS = 200


def situation(cursor: Any, campaign: int, now: datetime, audiences: Audiences | None = None) -> Situation:
    """Of a campaign as it is. One that is paused counts as if it went on at once, a draft as if it were
    started at once. Raises Missing."""
    audiences = audiences or Audiences()
    wanted = campaign_progress.progress(cursor, campaign)
    if wanted is None:
        raise Missing(f"there is no campaign {campaign}")
    others = campaign_progress.campaigns(cursor, UNDER_WAY, MOST_CAMPAIGNS, transactional=None)
    found = {one.campaign: one for one in others} | {campaign: wanted}
    policy = availability.policy_of(cursor)
    known = servers.servers(cursor)
    return Situation(
        campaign=campaign,
        demands=[_demand(cursor, found[number], audiences, now) for number in sorted(found)],
        senders=_senders(cursor, known, policy, now),
        policy=policy,
        now=now,
        names={one.server: one.name for one in known},
        is_approximate=wanted.recipients is None
        and not audiences.audience(cursor, wanted.lists, now).is_exact,
    )


def imagined(cursor: Any, demand: Demand, now: datetime, audiences: Audiences | None = None) -> Situation:
    """Of a campaign that is not there, beside those that are."""
    audiences = audiences or Audiences()
    others = campaign_progress.campaigns(cursor, UNDER_WAY, MOST_CAMPAIGNS, transactional=None)
    policy = availability.policy_of(cursor)
    known = servers.servers(cursor)
    return Situation(
        campaign=demand.campaign,
        demands=[demand, *(_demand(cursor, one, audiences, now) for one in others)],
        senders=_senders(cursor, known, policy, now),
        policy=policy,
        now=now,
        names={one.server: one.name for one in known},
    )


def _demand(cursor: Any, one: Progress, audiences: Audiences, now: datetime) -> Demand:
    waiting = one.counts["queued"] + one.counts["sending"]
    if one.state in NOT_STARTED:
        waiting = audiences.size(cursor, one.lists, now)
    elif one.state.is_started and one.recipients is None and not one.transactional:
        waiting += max(0, audiences.size(cursor, one.lists, now) - one.total)
    return Demand(
        campaign=one.campaign,
        count=0 if one.state.cancels_queued else waiting,
        priority=one.priority,
        server=one.messenger,
        starts=one.send_at if one.state is State.SCHEDULED else None,
    )


def _senders(cursor: Any, known: Sequence[Server], policy: SendingPolicy, now: datetime) -> list[Sender]:
    usage = daily_usage.usage_on(cursor, policy.calendar.local_date(now))
    rates = server_health.busiest(cursor)
    settings = {one.server: ServerSettings(**one.settings) for one in known}
    windows = {number: found.limits.window for number, found in settings.items() if found.limits.sliding}
    uses = rolling_usage.rough_uses(cursor, windows, now) if windows else {}
    return [_sender(one, settings[one.server], usage, rates, uses, now) for one in known]


def _sender(
    server: Server,
    settings: ServerSettings,
    usage: Mapping[int, daily_usage.Usage],
    rates: Mapping[int, float],
    uses: Mapping[int, Sequence[tuple[float, int]]],
    now: datetime,
) -> Sender:
    number = server.server
    return Sender(
        server=number,
        daily_limit=settings.daily_limit,
        used_today=usage[number].used if number in usage else 0,
        rolling=settings.limits.sliding,
        uses=uses.get(number, ()),
        window=settings.window,
        rate=max(LEAST_RATE, rates[number]) if number in rates else None,
        usable_from=usable_from(server.enabled, server.suspension, now),
    )


def estimated(cursor: Any, campaign: int, forecast: Forecast, by: str) -> Estimated:
    """The estimate as a fact, to be appended. It lies beside the campaign, not in its stream, so
    that writing it never gets in anybody's way."""
    last = campaign_history.last_estimate(cursor, campaign)
    return Estimated(
        originator_id=estimate_stream(campaign),
        originator_version=last.originator_version + 1 if last else 1,
        by=by,
        recipients=forecast.recipients,
        days=sum(1 for day in forecast.days if day.total),
        first=forecast.start.timestamp() if forecast.start else None,
        finish=forecast.finish.timestamp() if forecast.finish else None,
    )
