"""What the dashboard is made from, of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from application.dashboard.throughput import Interval
from domain.campaign.state import State
from domain.delivery.waiting import Waiting
from projections.availability import Availability, NobodySends, SendingCapacity


@dataclass(frozen=True, kw_only=True)
class CampaignStanding:
    """A campaign as its projection has it; `rate` is in e-mails a minute, of late, `finish` what the
    forecast says."""

    number: int
    name: str
    state: State
    counts: Mapping[str, int]
    reason: str | None = None
    send_at: datetime | None = None
    finish: datetime | None = None
    finished_at: datetime | None = None
    rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class OldestQueued:
    campaign: str
    since: datetime
    waiting: Waiting


@dataclass(frozen=True, kw_only=True)
class Rejections:
    """Replies of one wording. `what` says whom they speak of and from which server they came."""

    count: int
    reply: str
    what: str
    last_at: datetime

    @property
    def key(self) -> str:
        return f"{self.what}|{self.reply}"


@dataclass(frozen=True, kw_only=True)
class DashboardModel:
    """`throughput` is of the last minutes, `usage` of the last days. `rate` is in e-mails a minute;
    `has_people` tells whether there is anybody to mail."""

    capacity: SendingCapacity
    counts: Mapping[str, int]
    throughput: Sequence[Interval]
    usage: Sequence[Interval]
    has_people: bool
    nobody_sends: NobodySends | None = None
    rate: float = 0.0
    next_at: datetime | None = None
    oldest: OldestQueued | None = None
    campaigns: Sequence[CampaignStanding] = ()
    campaigns_in_all: int = 0
    rejections: Sequence[Rejections] = ()

    @cached_property
    def today(self) -> Today:
        return together(self.capacity.servers)


@dataclass(frozen=True, kw_only=True)
class Today:
    """All servers together. `left` counts only servers with a daily limit that are not switched off."""

    servers: int
    available: int
    unlimited: int
    limit: int
    used: int
    left: int

    @property
    def left_text(self) -> str:
        if self.unlimited and not self.limit:
            return "no limit"
        return f"{self.left:,}"

    @property
    def spoken(self) -> str:
        return f"{self.used:,} of {self.limit:,} used today by all servers together"


def together(servers: Sequence[Availability]) -> Today:
    usable = [server for server in servers if server.enabled]
    limited = [server for server in usable if server.daily_limit]
    limit = sum(server.daily_limit for server in limited)
    used = sum(server.daily_used for server in limited)
    return Today(
        servers=len(servers),
        available=sum(server.available for server in servers),
        unlimited=len(usable) - len(limited),
        limit=limit,
        used=used if limited else sum(server.daily_used for server in usable),
        left=sum(server.daily_remaining or 0 for server in limited),
    )


def finish(now: datetime, waiting: int, rate: float, today: Today) -> datetime | None:
    """At this pace; None when today's capacity ends before."""
    if not waiting or rate <= 0 or (not today.unlimited and waiting > today.left):
        return None
    return now + timedelta(minutes=waiting / rate)


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
