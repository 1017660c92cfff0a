"""The lines of the dashboard's lists: one for each campaign, one for each server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from application.dashboard.model import CampaignStanding, DashboardModel, finish, share
from domain.campaign.state import State
from domain.delivery.delivery import Status
from domain.server.availability import Closed
from projections.availability import Availability
from web.pages.dashboard.chart import Segment, stacked
from web.pages.words import LABELS, span

DONE = frozenset(Status) - {Status.QUEUED, Status.SENDING}
CAMPAIGN_TONES = {
    State.RUNNING: "good",
    State.PAUSED: "warn",
    State.SCHEDULED: "note",
    State.CANCELLED: "bad",
}


@dataclass(frozen=True)
class Tile:
    status: str
    label: str
    count: int
    share: str = ""


@dataclass(frozen=True, kw_only=True)
class CampaignRow:
    number: int
    name: str
    state: State
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


@dataclass(frozen=True)
class BesideState:
    """What is said beside a server's badge; the time goes into a <time> of its own."""

    text: str
    joint: str
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class ServerRow:
    number: int
    name: str
    from_email: str
    tone: str
    state: str
    closed: BesideState | None
    daily_limit: int
    daily_used: int
    daily_remaining: int | None
    segments: list[Segment]
    rolling_limit: int | None
    rolling_remaining: int | None
    rolling_span: str
    outcome: str


def campaign_row(campaign: CampaignStanding, model: DashboardModel) -> CampaignRow:
    counts, total = campaign.counts, sum(campaign.counts.values())
    done = sum(counts.get(status, 0) for status in DONE)
    waiting, running = counts.get(Status.QUEUED, 0), campaign.state is State.RUNNING
    tiles = [
        Tile(status, label, counts.get(status, 0))
        for status, label in LABELS.items()
        if counts.get(status, 0) or (campaign.state.is_started and status in (Status.SENT, Status.QUEUED))
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
        finish=(campaign.finish or finish(model.capacity.now, waiting, campaign.rate, model.today))
        if running
        else None,
        send_at=campaign.send_at if campaign.state is State.SCHEDULED else None,
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


def without_state(closed: Closed | None, state: str) -> BesideState | None:
    """What the badge says already is not said again beside it."""
    if closed is None or closed.text == state:
        return None
    return BesideState(closed.text.removeprefix(f"{state}: "), closed.joint, closed.until)


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
