"""May this server send now, and if not, why not and until when.

Whoever has to know asks here: the processor before each attempt, pages and API when they explain it, the
forecast for days to come, the history of a delivery for days gone by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.calendar import Calendar, Hours, both
from domain.capacity.capacity import Limits
from domain.policy import SendingPolicy


class Reason(StrEnum):
    """Why a server takes nothing, or why a delivery waits. The values are for programs, and stay."""

    CAMPAIGN_DRAFT = "campaign_draft"
    CAMPAIGN_SCHEDULED = "campaign_scheduled"
    CAMPAIGN_PAUSED = "campaign_paused"
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    QUEUE_PAUSED = "queue_paused"
    NO_PROCESSOR = "no_processor"
    CLOCK_NOT_TRUSTED = "clock_not_trusted"
    JOB_FAILING = "job_failing"
    RETRY = "retry"
    CALENDAR = "calendar"
    NO_SERVER = "no_server"
    DISABLED = "disabled"
    SUSPENDED = "suspended"
    WINDOW_CLOSED = "window_closed"
    DAILY_LIMIT = "daily_limit"
    ROLLING_LIMIT = "rolling_limit"
    NO_CAPACITY = "no_capacity"
    PRIORITY = "priority"
    NEXT_IN_LINE = "next_in_line"

    def text(self, *, ends: bool = True) -> str:
        """`ends` is False when nobody knows when it does."""
        return _TEXTS[self] if ends else _WITHOUT_END.get(self, _TEXTS[self])

    @property
    def joint(self) -> str:
        """What joins the text with the time at which it ends."""
        return _JOINTS.get(self, "until")


_TEXTS = {
    Reason.CAMPAIGN_DRAFT: "the campaign has not been started",
    Reason.CAMPAIGN_SCHEDULED: "the campaign starts",
    Reason.CAMPAIGN_PAUSED: "the campaign is paused",
    Reason.CAMPAIGN_CANCELLED: "the campaign is cancelled",
    Reason.QUEUE_PAUSED: "the queue is paused",
    Reason.NO_PROCESSOR: "no processor is running",
    Reason.CLOCK_NOT_TRUSTED: "the sending clock is not trusted",
    Reason.JOB_FAILING: "a job of the processor keeps failing",
    Reason.RETRY: "retry",
    Reason.CALENDAR: "outside the sending window",
    Reason.NO_SERVER: "no SMTP server is set up for it",
    Reason.DISABLED: "disabled",
    Reason.SUSPENDED: "suspended",
    Reason.WINDOW_CLOSED: "sending window closed",
    Reason.DAILY_LIMIT: "daily limit reached",
    Reason.ROLLING_LIMIT: "rolling limit reached",
    Reason.NO_CAPACITY: "no server has capacity",
    Reason.PRIORITY: "campaigns of higher priority go first",
    Reason.NEXT_IN_LINE: "next in line",
}
_WITHOUT_END = {
    Reason.CALENDAR: "the schedule has no open window",
    Reason.WINDOW_CLOSED: "its sending window never opens",
    Reason.NO_CAPACITY: "no server can send: all are disabled or suspended",
}
_JOINTS = {Reason.CAMPAIGN_SCHEDULED: "at", Reason.RETRY: "at", Reason.NO_CAPACITY: "before"}


@dataclass(frozen=True)
class Open:
    """`until` (UTC) is when it closes by itself, None when it does not."""

    until: datetime | None = None


@dataclass(frozen=True)
class Closed:
    """`until` (UTC) is when it opens by itself, None when that is not known or takes a person. `detail` is
    what more is known of the reason."""

    reason: Reason
    until: datetime | None = None
    detail: str = ""

    @property
    def code(self) -> str:
        return self.reason.value

    @property
    def joint(self) -> str:
        return self.reason.joint

    @property
    def text(self) -> str:
        text = self.reason.text(ends=self.until is not None)
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        if self.until is None:
            return self.text
        return f"{self.text} {self.joint} {self.until:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Suspension:
    """`until` is None when somebody has to resume the server."""

    reason: str
    until: datetime | None


def in_force(suspension: Suspension | None, at: datetime) -> Suspension | None:
    """It, if the server is suspended at that time."""
    if suspension is None or (suspension.until is not None and suspension.until <= at):
        return None
    return suspension


@dataclass(frozen=True, kw_only=True)
class SendingState:
    """What holds all servers alike. `failing_job` is one without which its processor sends nothing, and which
    fails again and again; `works` tells whether there is another processor that sends all the same."""

    queue_paused: bool = False
    has_processor: bool = True
    is_clock_trusted: bool = True
    failing_job: str | None = None
    works: bool = True

    def held(self) -> Closed | None:
        if self.queue_paused:
            return Closed(Reason.QUEUE_PAUSED)
        if not self.has_processor:
            return Closed(Reason.NO_PROCESSOR)
        if not self.is_clock_trusted:
            return Closed(Reason.CLOCK_NOT_TRUSTED)
        return None if self.works else self.failing()

    def failing(self) -> Closed | None:
        """What keeps from going out at once what nothing else holds: a share of it is the processor's that
        fails, as long as that one lives."""
        return None if self.failing_job is None else Closed(Reason.JOB_FAILING, detail=self.failing_job)


RUNNING = SendingState()
UNLIMITED = Limits()


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """`hours` are the sending calendar's and the server's own together. `used_today` is reserved and not
    returned on the local date, `in_window` counts in the rolling window, which lets another one through at
    `rolling_frees` once it is full. Without limits, these are another's to see to."""

    enabled: bool
    hours: Hours
    suspension: Suspension | None = None
    limits: Limits = UNLIMITED
    used_today: int = 0
    in_window: int = 0
    rolling_frees: datetime | None = None


def hours_of(policy: SendingPolicy, window: str | None) -> Hours:
    """When a server with this window of its own may send."""
    return both(policy.calendar, Calendar.of(policy.timezone, window)) if window else policy.calendar


def usable_from(enabled: bool, suspension: Suspension | None, now: datetime) -> datetime | None:
    """When the server is enabled and not suspended: `now` when it is, None until somebody does something."""
    if not enabled:
        return None
    holding = in_force(suspension, now)
    return now if holding is None else holding.until


def availability(server: ServerState, now: datetime, sending: SendingState = RUNNING) -> Open | Closed:
    """The first thing that closes it: the server's own state, what holds all of them, time, limits."""
    if not server.enabled:
        return Closed(Reason.DISABLED)
    suspension = in_force(server.suspension, now)
    if suspension is not None:
        return Closed(Reason.SUSPENDED, suspension.until, suspension.reason)
    held = sending.held()
    if held is not None:
        return held
    opens = server.hours.opens_at(now)
    if opens is None or opens > now:
        return Closed(Reason.WINDOW_CLOSED, opens)
    return closed_by_limits(server, now) or Open(server.hours.closes_at(now))


def closed_by_limits(server: ServerState, now: datetime) -> Closed | None:
    """What is left to ask of a server that is open but for them."""
    if server.limits.left_today(server.used_today) == 0:
        return Closed(Reason.DAILY_LIMIT, server.hours.midnight_after(now))
    if server.limits.left_in_window(server.in_window) == 0:
        return Closed(Reason.ROLLING_LIMIT, server.rolling_frees)
    return None


def open_intervals(
    server: ServerState, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """When it is open in [start, end), if nothing changes but the time."""
    at: datetime | None = start
    while at is not None and at < end:
        match availability(server, at):
            case Open(until):
                yield at, min(until or end, end)
                at = until
            case Closed(until=until):
                at = until
