"""What the dashboard shows, from what the projections say: pure, so that it can be tried without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from application.dashboard.alerts import Alert, alerts
from application.dashboard.model import (
    LABELS,
    Oldest,
    Readings,
    Refusals,
    Tile,
    Today,
    finish,
    share,
    together,
)
from domain.delivery.delivery import Status
from web.pages.dashboard.chart import Chart, Segment, stacked
from web.pages.dashboard.rows import CampaignRow, ServerRow, campaign_row, server_row
from web.pages.servers.server_charts import Picture


@dataclass(frozen=True, kw_only=True)
class Headline:
    text: str
    detail: str = ""
    until: datetime | None = None
    until_text: str = ""
    finish: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
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
    oldest: Oldest | None
    campaigns: list[CampaignRow]
    more_campaigns: int
    servers: list[ServerRow]
    errors: Sequence[Refusals]
    steps: list[Step] = field(default_factory=list)


COMMANDS = {
    "server": "postledger server add alpha --host smtp.example.com --port 587 --tls-type STARTTLS \\\n"
    "    --username you --from-email news@example.com --daily-limit 1000",
    "recipients": "postledger recipients import people.csv --list Friends",
    "campaign": 'postledger campaign create --name "Spring letter" --list Friends \\\n'
    "    --subject subject.txt --text letter.txt --html letter.html",
    "start": "postledger campaign start 1",
}


def overview(readings: Readings) -> Overview:
    counts, total = readings.counts, sum(readings.counts.values())
    today, next_at = together(readings.capacity.servers), readings.next_at
    tiles = [
        Tile(status, label, counts.get(status, 0), share(counts.get(status, 0), total))
        for status, label in LABELS.items()
    ]
    return Overview(
        now=readings.capacity.now,
        timezone=readings.capacity.timezone,
        headline=headline(readings, today),
        total=total,
        tiles=tiles,
        segments=stacked([(tile.status, tile.count) for tile in tiles], total),
        spoken_counts=", ".join(f"{tile.count:,} {tile.label.lower()}" for tile in tiles if tile.count)
        or "no e-mails",
        next_at=next_at if next_at and next_at > readings.capacity.now else None,
        chart=readings.chart,
        pace=pace(readings),
        usage=readings.usage,
        alerts=alerts(readings, today),
        capacity=today,
        oldest=readings.oldest,
        campaigns=[campaign_row(campaign, readings, today) for campaign in readings.campaigns],
        more_campaigns=readings.campaigns_in_all
        if readings.campaigns_in_all > len(readings.campaigns)
        else 0,
        servers=[server_row(server) for server in readings.capacity.servers],
        errors=readings.refusals,
        steps=steps(readings),
    )


def headline(readings: Readings, today: Today) -> Headline:
    waiting = readings.counts.get(Status.QUEUED, 0)
    sending = readings.counts.get(Status.SENDING, 0)
    servers = f"{today.open:,} of {today.servers:,} servers"
    if readings.rate and (waiting or sending):
        return Headline(
            text=f"Sending {round(readings.rate):,} e-mails a minute",
            detail=f"{waiting:,} wait; {servers} take more now.",
            finish=finish(readings.capacity.now, waiting, readings.rate, today) if today.open else None,
        )
    if not waiting and not sending:
        sent = readings.counts.get(Status.SENT, 0)
        return Headline(
            text="Nothing waits to be sent", detail=f"{sent:,} e-mails were accepted so far." if sent else ""
        )
    oldest = readings.oldest.waiting if readings.oldest else None
    if oldest is None or oldest.code == "next_in_line":
        return Headline(
            text=f"{waiting + sending:,} e-mails are about to go out", detail=f"{servers} are open."
        )
    until_text = {"until": "That lasts until", "before": "Not before", "at": "Next:"}[oldest.joint]
    return Headline(
        text=f"{waiting:,} e-mails wait: {oldest.text}",
        until=oldest.until,
        until_text=until_text,
        detail=f"{servers} are open.",
    )


def pace(readings: Readings) -> str:
    """Now and today."""
    today = readings.usage.chart.bars[-1].said
    return f"Now {round(readings.rate):,} a minute; today {today}"


def steps(readings: Readings) -> list[Step]:
    """What to do first; nothing once a campaign was started."""
    if sum(readings.counts.values()) or any(c.state != "draft" for c in readings.campaigns):
        return []
    return [
        Step(
            title="Add an SMTP server",
            page="/servers/new",
            command=COMMANDS["server"],
            done=bool(readings.capacity.servers),
        ),
        Step(
            title="Import people",
            page="/subscribers/import",
            command=COMMANDS["recipients"],
            done=readings.people > 0,
        ),
        Step(
            title="Write a campaign",
            page="/campaigns/new",
            command=COMMANDS["campaign"],
            done=bool(readings.campaigns),
        ),
        Step(title="Start it", page="/campaigns", command=COMMANDS["start"], done=False),
    ]
