"""What the dashboard shows, from what the projections say: pure, so that it can be tried without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from application.dashboard.alerts import Alert, alerts
from application.dashboard.model import DashboardModel, OldestQueued, Rejections, Today, finish, share
from application.dashboard.throughput import INTERVAL
from domain.campaign.state import State
from domain.delivery.delivery import Status
from web.pages.dashboard.chart import Chart, Segment, chart, stacked
from web.pages.dashboard.rows import CampaignRow, ServerRow, Tile, campaign_row, server_row
from web.pages.servers.server_charts import Picture, last_days
from web.pages.words import LABELS


@dataclass(frozen=True, kw_only=True)
class Headline:
    text: str
    detail: str = ""
    until: datetime | None = None
    until_text: str = ""
    finish: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class FirstStep:
    """`page` is where to do it, `command` does the same."""

    title: str
    page: str
    command: str
    done: bool


@dataclass(frozen=True, kw_only=True)
class Overview:
    now: datetime
    timezone: str
    headline: Headline
    total: int
    tiles: list[Tile]
    segments: list[Segment]
    spoken_counts: str
    next_at: datetime | None
    chart: Chart
    pace: str
    usage: Picture
    alerts: list[Alert]
    capacity: Today
    capacity_segments: list[Segment]
    oldest: OldestQueued | None
    campaigns: list[CampaignRow]
    more_campaigns: int
    servers: list[ServerRow]
    errors: Sequence[Rejections]
    steps: list[FirstStep] = field(default_factory=list)


COMMANDS = {
    "server": "postledger server add alpha --host smtp.example.com --port 587 --tls-type STARTTLS \\\n"
    "    --username you --from-email news@example.com --daily-limit 1000",
    "recipients": "postledger recipients import people.csv --list Friends",
    "campaign": 'postledger campaign create --name "Spring letter" --list Friends \\\n'
    "    --subject subject.txt --text letter.txt --html letter.html",
    "start": "postledger campaign start 1",
}


def overview(model: DashboardModel) -> Overview:
    counts, total = model.counts, sum(model.counts.values())
    today, next_at = model.today, model.next_at
    usage = last_days(model.usage)
    tiles = [
        Tile(status, label, counts.get(status, 0), share(counts.get(status, 0), total))
        for status, label in LABELS.items()
    ]
    return Overview(
        now=model.capacity.now,
        timezone=model.capacity.timezone,
        headline=headline(model),
        total=total,
        tiles=tiles,
        segments=stacked([(tile.status, tile.count) for tile in tiles], total),
        spoken_counts=spoken(tiles) or "no e-mails",
        next_at=next_at if next_at and next_at > model.capacity.now else None,
        chart=chart(model.throughput, f"{INTERVAL.seconds} seconds"),
        pace=pace(model, usage),
        usage=usage,
        alerts=alerts(model),
        capacity=today,
        capacity_segments=stacked([("used", today.used)], today.limit),
        oldest=model.oldest,
        campaigns=[campaign_row(campaign, model) for campaign in model.campaigns],
        more_campaigns=model.campaigns_in_all if model.campaigns_in_all > len(model.campaigns) else 0,
        servers=[server_row(server) for server in model.capacity.servers],
        errors=model.rejections,
        steps=steps(model),
    )


def spoken(tiles: Sequence[Tile]) -> str:
    return ", ".join(f"{tile.count:,} {tile.label.lower()}" for tile in tiles if tile.count)


def headline(model: DashboardModel) -> Headline:
    waiting = model.counts.get(Status.QUEUED, 0)
    sending = model.counts.get(Status.SENDING, 0)
    today = model.today
    servers = f"{today.available:,} of {today.servers:,} servers"
    if model.rate and (waiting or sending):
        return Headline(
            text=f"Sending {round(model.rate):,} e-mails per minute",
            detail=f"{waiting:,} queued; {servers} available.",
            finish=finish(model.capacity.now, waiting, model.rate, today) if today.available else None,
        )
    if not waiting and not sending:
        sent = model.counts.get(Status.SENT, 0)
        return Headline(text="Nothing to send", detail=f"{sent:,} e-mails accepted so far." if sent else "")
    oldest = model.oldest.waiting if model.oldest else None
    if oldest is None or oldest.code in ("next_in_line", "priority"):
        return Headline(
            text=f"{waiting + sending:,} e-mails are about to be sent", detail=f"{servers} available."
        )
    until_text = {"until": "Until", "before": "Not before", "at": "Next:"}[oldest.joint]
    return Headline(
        text=f"{waiting:,} e-mails queued: {oldest.text}",
        until=oldest.until,
        until_text=until_text,
        detail=f"{servers} available.",
    )


def pace(model: DashboardModel, usage: Picture) -> str:
    """Now and today."""
    today = usage.chart.bars[-1].said
    return f"Now {round(model.rate):,} per minute; today {today}"


def steps(model: DashboardModel) -> list[FirstStep]:
    """What to do first; nothing once a campaign was started."""
    if sum(model.counts.values()) or any(c.state is not State.DRAFT for c in model.campaigns):
        return []
    return [
        FirstStep(
            title="Add an SMTP server",
            page="/servers/new",
            command=COMMANDS["server"],
            done=bool(model.capacity.servers),
        ),
        FirstStep(
            title="Import subscribers",
            page="/subscribers/import",
            command=COMMANDS["recipients"],
            done=model.has_people,
        ),
        FirstStep(
            title="New campaign",
            page="/campaigns/new",
            command=COMMANDS["campaign"],
            done=bool(model.campaigns),
        ),
        FirstStep(title="Start campaign", page="/campaigns", command=COMMANDS["start"], done=False),
    ]
