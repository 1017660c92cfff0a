"""What the pages show of one campaign: how far it is, what became of it where, and what was done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from application.dashboard.model import share
from application.dashboard.paces import Paces
from application.dashboard.query import OUTCOMES
from application.forecasts.audiences import Audiences
from application.forecasts.description import ForecastView, forecast_view, lateness
from application.forecasts.situations import situation
from domain.campaign.estimate import Estimated
from domain.campaign.state import State
from domain.delivery.delivery import Status
from domain.forecast.bottleneck import Assessment, bottleneck
from projections import campaign_history, campaign_refusals, servers
from projections.campaign_progress import Progress
from storage.people import directory
from web.pages.dashboard.chart import Segment, stacked
from web.pages.dashboard.rows import CAMPAIGN_TONES, DONE
from web.pages.words import LABELS

UNDER_WAY_OR_SENT = (Status.QUEUED, Status.SENDING, Status.SENT)
FUNNEL = (
    *((status, LABELS[status]) for status in UNDER_WAY_OR_SENT),
    ("deferred", "Deferred"),
    *((status, label) for status, label in LABELS.items() if status not in UNDER_WAY_OR_SENT),
)
ALWAYS = frozenset({Status.QUEUED, Status.SENDING, Status.SENT, Status.FAILED})


@dataclass(frozen=True, kw_only=True)
class FunnelStep:
    status: str
    label: str
    count: int
    share: str


@dataclass(frozen=True, kw_only=True)
class Split:
    number: int
    name: str
    sent: int
    sending: int
    failed: int
    unknown: int
    deferred: int
    segments: list[Segment]


@dataclass(frozen=True, kw_only=True)
class ReplyRow:
    count: int
    wording: str
    what: str
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class First:
    """The original estimate, and how far the forecast of now, or what came of it, is from that."""

    recipients: int
    days: int
    finish: datetime | None
    difference: str


@dataclass(frozen=True, kw_only=True)
class CampaignView:
    campaign: Progress
    tone: str
    messenger: str
    total: int
    done: int
    done_share: str
    done_percent: int
    spoken: str
    segments: list[Segment]
    steps: list[FunnelStep]
    rate: int
    lists: Sequence[str]
    splits: list[Split]
    replies: list[ReplyRow]
    first: First | None
    forecast: ForecastView | None


def campaign_view(
    cursor: Any, campaign: Progress, now: datetime, paces: Paces, audiences: Audiences
) -> CampaignView:
    split = campaign_history.by_server(cursor, campaign.campaign)
    names = {one.server: one.name for one in servers.servers(cursor)}
    lists = dict(directory.list_names(cursor))
    deferred = sum(counts[Status.QUEUED] for counts in split.values())
    total = max(campaign.total, campaign.recipients or 0)
    done = sum(campaign.counts[status] for status in DONE)
    steps = _steps(campaign, deferred, total)
    is_running = campaign.state is State.RUNNING
    forecast = _forecast(cursor, campaign, now, audiences)
    return CampaignView(
        campaign=campaign,
        tone=CAMPAIGN_TONES.get(campaign.state, ""),
        messenger=_messenger(campaign.messenger, names),
        total=total,
        done=done,
        done_share=share(done, total),
        done_percent=100 * done // total if total else 0,
        spoken=", ".join(f"{step.count:,} {step.label.lower()}" for step in steps if step.count) or "nothing",
        segments=stacked([(status, campaign.counts[status]) for status in LABELS], total),
        steps=steps,
        rate=round(paces.rate(campaign.campaign, now, campaign.counts["sent"])) if is_running else 0,
        lists=[lists.get(number, f"list {number}") for number in campaign.lists],
        splits=_splits(split, names),
        replies=[_reply(one) for one in campaign_refusals.replies(cursor, campaign.campaign)],
        first=_first(campaign_history.last_estimate(cursor, campaign.campaign), campaign, forecast),
        forecast=forecast,
    )


def _messenger(number: int | None, names: Mapping[int, str]) -> str:
    return "Automatic" if number is None else names.get(number, f"server {number}")


def _steps(campaign: Progress, deferred: int, total: int) -> list[FunnelStep]:
    counts = {**campaign.counts, "deferred": deferred}
    counts["queued"] = max(0, counts["queued"] - counts["deferred"])
    return [
        FunnelStep(
            status=str(status),
            label=label,
            count=counts[str(status)],
            share=share(counts[str(status)], total),
        )
        for status, label in FUNNEL
        if counts[str(status)] or status in ALWAYS
    ]


def _forecast(cursor: Any, campaign: Progress, now: datetime, audiences: Audiences) -> ForecastView | None:
    if not campaign.state.is_started:
        return None
    found = situation(cursor, campaign.campaign, now, audiences)
    forecast = found.forecast()
    if not forecast.recipients:
        return None
    return forecast_view(
        found, Assessment(forecast=forecast, bottleneck=bottleneck(found, forecast), changes=())
    )


def _first(estimate: Estimated | None, campaign: Progress, forecast: ForecastView | None) -> First | None:
    if estimate is None or campaign.started_at is None:
        return None
    finish = datetime.fromtimestamp(estimate.finish, campaign.started_at.tzinfo) if estimate.finish else None
    now = campaign.ended_at if campaign.state is State.FINISHED else forecast.finish if forecast else None
    return First(
        recipients=estimate.recipients,
        days=estimate.days,
        finish=finish,
        difference=lateness(finish, now) if finish and now else "",
    )


def _splits(split: Mapping[int, Mapping[Status, int]], names: Mapping[int, str]) -> list[Split]:
    most = max((sum(counts.values()) for counts in split.values()), default=0)
    rows = []
    for number, counts in split.items():
        parts = [(status, counts[status]) for status in LABELS if status != Status.QUEUED]
        rows.append(
            Split(
                number=number,
                name=names.get(number, f"server {number}"),
                sent=counts[Status.SENT],
                sending=counts[Status.SENDING],
                failed=counts[Status.FAILED],
                unknown=counts[Status.UNKNOWN],
                deferred=counts[Status.QUEUED],
                segments=stacked([*parts, ("deferred", counts[Status.QUEUED])], most),
            )
        )
    return sorted(rows, key=lambda row: row.name)


def _reply(one: campaign_refusals.GroupedReply) -> ReplyRow:
    about = f", about the {one.about}" if one.about else ""
    return ReplyRow(
        count=one.n, wording=one.wording, what=f"{OUTCOMES[one.outcome]}{about}", last_at=one.last_at
    )
