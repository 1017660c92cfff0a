"""Why an e-mail waits, and why a server takes none: the reasons that people and programs are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.failing_jobs import FailingJob


@dataclass(frozen=True)
class Waiting:
    """`code` is for programs. `until` (UTC) is when it ends by itself, None when that is not known
    or takes a person; `joint` joins both into a sentence."""

    code: str
    text: str
    until: datetime | None = None
    joint: str = "until"

    def __str__(self) -> str:
        if self.until is None:
            return self.text
        return f"{self.text} {self.joint} {self.until:%Y-%m-%dT%H:%M:%SZ}"


NEXT_IN_LINE = Waiting("next_in_line", "next in line")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A server as seen by whoever waits for it: `closed` is None when it takes e-mails now."""

    server: int
    name: str
    closed: Waiting | None


@dataclass(frozen=True, kw_only=True)
class CampaignState:
    """`state` is draft, scheduled, running, paused, finished or cancelled. `messenger` is the one
    server that may send it, None for automatic."""

    state: str
    messenger: int | None = None
    send_at: datetime | None = None
    reason: str | None = None


def why_it_waits(
    campaign: CampaignState,
    *,
    now: datetime,
    again: datetime | None,
    opens: datetime | None,
    gates: Sequence[Gate],
    queue_paused: bool = False,
    failing: Sequence[FailingJob] = (),
) -> Waiting:
    """Of a queued delivery. `again` is its next try, None when it never was tried; `opens` is when
    the sending calendar next allows an attempt: `now` or earlier when it does, None for never; `failing` is
    what processors do not get done."""
    held = held_by_campaign(campaign)
    if held is not None:
        return held
    if queue_paused:
        return Waiting("queue_paused", "the queue is paused")
    if again is not None and again > now:
        return Waiting("retry", "retry", again, "at")
    if opens is None:
        return Waiting("calendar", "the sending calendar has no open window")
    if opens > now:
        return Waiting("calendar", "outside the sending window", opens)
    held = held_by_servers(campaign.messenger, gates)
    return held_by_processors(failing) or held if held is NEXT_IN_LINE else held


def held_by_campaign(campaign: CampaignState) -> Waiting | None:
    match campaign.state:
        case "running" | "finished":
            return None
        case "scheduled":
            return Waiting("campaign_scheduled", "the campaign starts", campaign.send_at, "at")
        case "draft":
            return Waiting("campaign_draft", "the campaign has not been started")
        case state:
            because = f": {campaign.reason}" if campaign.reason else ""
            return Waiting(f"campaign_{state}", f"the campaign is {state}{because}")


def held_by_servers(messenger: int | None, gates: Sequence[Gate]) -> Waiting:
    usable = [gate for gate in gates if messenger in (None, gate.server)]
    if not usable:
        return Waiting("no_server", "no SMTP server is set up for it")
    closed = [(gate.name, gate.closed) for gate in usable if gate.closed is not None]
    if len(closed) < len(usable):
        return NEXT_IN_LINE
    if len(closed) == 1:
        name, waiting = closed[0]
        return Waiting(waiting.code, f"server {name}: {waiting.text}", waiting.until, waiting.joint)
    ends = [waiting.until for _, waiting in closed if waiting.until is not None]
    if not ends:
        return Waiting("no_capacity", "no server can send: all are disabled or suspended")
    return Waiting("no_capacity", "no server has capacity", min(ends), "before")


def held_by_processors(failing: Sequence[FailingJob]) -> Waiting | None:
    job = next((job for job in failing if job.holds_up_all), None)
    return None if job is None else Waiting("processor_failing", f"the processor fails: {job}")


@dataclass(frozen=True, kw_only=True)
class Load:
    """A server's settings and use at one moment. `opens` is when calendar and own window next allow
    an attempt (None: never), `day_ends` the next local midnight, `rolling_frees` when the rolling
    window next lets one through. A limit of 0 or None is no limit."""

    enabled: bool
    opens: datetime | None
    suspended: str | None = None
    suspended_until: datetime | None = None
    daily_limit: int = 0
    daily_used: int = 0
    day_ends: datetime | None = None
    rolling_limit: int | None = None
    rolling_used: int = 0
    rolling_frees: datetime | None = None


def why_closed(load: Load, now: datetime) -> Waiting | None:
    """The first reason why a server takes no e-mail now, None when it does."""
    if not load.enabled:
        return Waiting("disabled", "disabled")
    if load.suspended is not None and (load.suspended_until is None or load.suspended_until > now):
        until = load.suspended_until
        return Waiting("suspended", f"suspended: {load.suspended}" if load.suspended else "suspended", until)
    if load.opens is None:
        return Waiting("window_closed", "its sending window never opens")
    if load.opens > now:
        return Waiting("window_closed", "sending window closed", load.opens)
    if load.daily_limit and load.daily_used >= load.daily_limit:
        return Waiting("daily_limit", "daily limit reached", load.day_ends)
    if load.rolling_limit is not None and load.rolling_used >= load.rolling_limit:
        return Waiting("rolling_limit", "rolling limit reached", load.rolling_frees)
    return None
