"""What the dashboard shows, from what the projections say: pure, so that it can be tried without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.delivery import Status
from domain.waiting import Waiting
from projections.availability import Availability, Capacity
from web.chart import Chart, Segment, stacked

LABELS = {
    Status.SENT: "Sent",
    Status.SENDING: "Sending",
    Status.QUEUED: "Waiting",
    Status.FAILED: "Failed",
    Status.UNKNOWN: "Unknown",
    Status.SUPPRESSED: "Suppressed",
    Status.CANCELLED: "Cancelled",
}
DONE = frozenset(Status) - {Status.QUEUED, Status.SENDING}
CAMPAIGN_TONES = {"running": "good", "paused": "warn", "scheduled": "note", "cancelled": "bad"}
SPANS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, kw_only=True)
class CampaignReading:
    """A campaign as its projection has it; `rate` is in e-mails a minute, of late."""

    number: int
    name: str
    state: str
    counts: Mapping[str, int]
    reason: str | None = None
    send_at: datetime | None = None
    finished_at: datetime | None = None
    rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Oldest:
    campaign: str
    since: datetime
    waiting: Waiting


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """Replies of one wording. `what` says whom they speak of and from which server they came."""

    count: int
    reply: str
    what: str
    last_at: datetime

    @property
    def key(self) -> str:
        return f"{self.what}|{self.reply}"


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Everything that the dashboard is made from, of one moment. `rate` is in e-mails a minute."""

    capacity: Capacity
    counts: Mapping[str, int]
    chart: Chart
    people: int
    rate: float = 0.0
    next_at: datetime | None = None
    oldest: Oldest | None = None
    campaigns: Sequence[CampaignReading] = ()
    campaigns_in_all: int = 0
    refusals: Sequence[Refusals] = ()


@dataclass(frozen=True)
class Tile:
    status: str
    label: str
    count: int
    share: str = ""


@dataclass(frozen=True, kw_only=True)
class Headline:
    text: str
    detail: str = ""
    until: datetime | None = None
    until_text: str = ""
    finish: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CampaignRow:
    number: int
    name: str
    state: str
    tone: str
    note: str
    done_percent: int
    done_share: str
    spoken: str
    segments: list[Segment]
    tiles: list[Tile]
    rate: int
    finish: datetime | None
    send_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ServerRow:
    number: int
    name: str
    from_email: str
    tone: str
    state: str
    closed: Waiting | None
    daily_limit: int
    daily_used: int
    daily_remaining: int | None
    segments: list[Segment]
    rolling_limit: int | None
    rolling_remaining: int | None
    rolling_span: str
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Today:
    """All servers together. `left` counts only servers with a daily limit that are not switched off."""

    servers: int
    open: int
    unlimited: int
    limit: int
    used: int
    left: int
    segments: list[Segment]

    @property
    def left_text(self) -> str:
        if self.unlimited and not self.limit:
            return "no limit"
        return f"{self.left:,}"

    @property
    def spoken(self) -> str:
        return f"{self.used:,} of {self.limit:,} used today by all servers together"


@dataclass(frozen=True, kw_only=True)
class Step:
    title: str
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


def together(servers: Sequence[Availability]) -> Today:
    usable = [server for server in servers if server.enabled]
    limited = [server for server in usable if server.daily_limit]
    limit = sum(server.daily_limit for server in limited)
    used = sum(server.daily_used for server in limited)
    return Today(
        servers=len(servers),
        open=sum(server.available for server in servers),
        unlimited=len(usable) - len(limited),
        limit=limit,
        used=used if limited else sum(server.daily_used for server in usable),
        left=sum(server.daily_remaining or 0 for server in limited),
        segments=stacked([("used", used)], limit),
    )


def headline(readings: Readings, today: Today) -> Headline:
    waiting = readings.counts.get(Status.QUEUED, 0)
    sending = readings.counts.get(Status.SENDING, 0)
    servers = f"{today.open:,} of {today.servers:,} servers"
    if readings.rate and (waiting or sending):
        return Headline(
            text=f"Sending {round(readings.rate):,} e-mails a minute",
            detail=f"{waiting:,} wait; {servers} take more now.",
            finish=finish(readings.capacity.now, waiting, readings.rate, today),
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


def finish(now: datetime, waiting: int, rate: float, today: Today) -> datetime | None:
    """At this pace; None when today's capacity ends before."""
    if not waiting or rate <= 0 or (not today.unlimited and waiting > today.left):
        return None
    return now + timedelta(minutes=waiting / rate)


def campaign_row(campaign: CampaignReading, readings: Readings, today: Today) -> CampaignRow:
    counts, total = campaign.counts, sum(campaign.counts.values())
    done = sum(counts.get(status, 0) for status in DONE)
    waiting, running = counts.get(Status.QUEUED, 0), campaign.state == "running"
    under_way = running or campaign.state == "paused"
    tiles = [
        Tile(status, label, counts.get(status, 0))
        for status, label in LABELS.items()
        if counts.get(status, 0) or (under_way and status in (Status.SENT, Status.QUEUED))
    ]
    return CampaignRow(
        number=campaign.number,
        name=campaign.name,
        state=campaign.state,
        tone=CAMPAIGN_TONES.get(campaign.state, ""),
        note=campaign.reason or "",
        done_percent=100 * done // total if total else 0,
        done_share=share(done, total),
        spoken=", ".join(f"{tile.count:,} {tile.label.lower()}" for tile in tiles),
        segments=stacked([(status, counts.get(status, 0)) for status in LABELS], total),
        tiles=tiles,
        rate=round(campaign.rate) if running else 0,
        finish=finish(readings.capacity.now, waiting, campaign.rate, today) if running else None,
        send_at=campaign.send_at if campaign.state == "scheduled" else None,
        finished_at=campaign.finished_at,
    )


def server_row(server: Availability) -> ServerRow:
    tone, state = server_state(server)
    used_share = server.daily_used / server.daily_limit if server.daily_limit else 0
    fill = "full" if used_share >= 1 else "nearly" if used_share >= 0.9 else "used"
    finished = server.sent_today + server.failed_today
    return ServerRow(
        number=server.number,
        name=server.name,
        from_email=server.from_email,
        tone=tone,
        state=state,
        closed=without_state(server.closed, state),
        daily_limit=server.daily_limit,
        daily_used=server.daily_used,
        daily_remaining=server.daily_remaining,
        segments=stacked([(fill, min(server.daily_used, server.daily_limit))], server.daily_limit),
        rolling_limit=server.rolling_limit,
        rolling_remaining=server.rolling_remaining,
        rolling_span=span(server.rolling_span),
        outcome=f"{share(server.sent_today, finished)} accepted today" if finished else "",
    )


def without_state(closed: Waiting | None, state: str) -> Waiting | None:
    """What the badge says already is not said again beside it."""
    if closed is None or closed.text == state:
        return None
    return replace(closed, text=closed.text.removeprefix(f"{state}: "))


def server_state(server: Availability) -> tuple[str, str]:
    match server.closed and server.closed.code:
        case None:
            return "good", "available"
        case "suspended":
            return "bad", "suspended"
        case "disabled":
            return "", "disabled"
        case "daily_limit" | "rolling_limit":
            return "warn", "limit reached"
        case _:
            return "note", "closed"


def steps(readings: Readings) -> list[Step]:
    """What to do first; nothing once a campaign was started."""
    if sum(readings.counts.values()) or any(c.state != "draft" for c in readings.campaigns):
        return []
    return [
        Step(title="Add an SMTP server", command=COMMANDS["server"], done=bool(readings.capacity.servers)),
        Step(title="Import people", command=COMMANDS["recipients"], done=readings.people > 0),
        Step(title="Write a campaign", command=COMMANDS["campaign"], done=bool(readings.campaigns)),
        Step(title="Start it", command=COMMANDS["start"], done=False),
    ]


def share(part: int, whole: int) -> str:
    """In per cent; never 0 % or 100 % where that is only rounding."""
    if not whole or not part:
        return "0 %" if whole else "–"
    percent = 100 * part / whole
    if percent < 0.1:
        return "< 0.1 %"
    if part < whole and percent > 99.9:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent < 99.95 and percent % 1 >= 0.05 else f"{percent:.0f} %"


def span(seconds: int) -> str:
    """60 → a minute, 90 → 90 seconds, 7200 → 2 hours."""
    for length, unit in SPANS:
        if seconds and seconds % length == 0:
            many = seconds // length
            article = "an" if unit == "hour" else "a"
            return f"{article} {unit}" if many == 1 else f"{many} {unit}s"
    return ""
