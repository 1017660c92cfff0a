"""Which servers take e-mails now, what each has left, and why the others take none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.calendar import Calendar, Hours, both
from domain.delivery.waiting import Gate, Load, Waiting, why_closed
from domain.failing_jobs import FailingJob
from domain.policy import PolicyChanged, SendingPolicy
from domain.server.settings import ServerSettings
from domain.streams import policy_stream, server_stream
from projections import daily_usage, rolling_usage, servers
from projections.daily_usage import Usage
from projections.servers import Server
from storage import processors

POLICY = (
    "SELECT version, convert_from(state, 'UTF8')::jsonb FROM events WHERE stream_id = %s ORDER BY version"
)

# When enough units have left a window that was used up: ends of reservations, first to end first.
ENDS = """
    SELECT least(until, returned_at), n - unused FROM reservations
    WHERE server = %(server)s AND n > unused AND least(until, returned_at) > %(since)s
    ORDER BY 1
"""


@dataclass(frozen=True, kw_only=True)
class Availability:
    """A server at one moment. `closed` is None when it takes e-mails. A limit of 0 (daily) or None
    (rolling) is no limit; what remains of it is None then. `rolling_span` is in seconds."""

    number: int
    name: str
    from_email: str
    enabled: bool
    closed: Waiting | None
    daily_limit: int
    daily_used: int
    rolling_limit: int | None = None
    rolling_used: int = 0
    rolling_span: int = 0
    sent_today: int = 0
    failed_today: int = 0

    @property
    def uuid(self) -> UUID:
        return server_stream(self.number)

    @property
    def available(self) -> bool:
        return self.closed is None

    @property
    def daily_remaining(self) -> int | None:
        return max(0, self.daily_limit - self.daily_used) if self.daily_limit else None

    @property
    def rolling_remaining(self) -> int | None:
        return None if self.rolling_limit is None else max(0, self.rolling_limit - self.rolling_used)

    @property
    def gate(self) -> Gate:
        return Gate(server=self.number, name=self.name, closed=self.closed)


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """`opens` is when the sending calendar next allows an attempt: `now` when it does, None for never.
    While `queue_paused` nothing is begun, until somebody resumes the queue. `failing` is what processors do
    not get done."""

    now: datetime
    timezone: str
    opens: datetime | None
    servers: list[Availability]
    queue_paused: bool = False
    failing: Sequence[FailingJob] = ()


def capacity(cursor: Any, now: datetime) -> Capacity:
    """All servers, by name, as the projections have them."""
    policy = policy_of(cursor)
    found = [(one, ServerSettings(**one.settings)) for one in servers.servers(cursor)]
    windows = {one.server: settings.limits.window for one, settings in found if settings.limits.sliding}
    moment = _Moment(
        now=now,
        policy=policy,
        day_ends=policy.calendar.midnight_after(now),
        usage=daily_usage.usage_on(cursor, policy.calendar.local_date(now)),
        rolling=rolling_usage.in_window(cursor, windows, now) if windows else {},
    )
    return Capacity(
        now=now,
        timezone=policy.timezone,
        opens=moment.opens(None),
        servers=[_available(cursor, moment, one, settings) for one, settings in found],
        queue_paused=policy.queue_paused,
        failing=processors.failing(cursor, processors.database_time(cursor)),
    )


def policy_of(cursor: Any) -> SendingPolicy:
    policy = SendingPolicy()
    cursor.execute(POLICY, (policy_stream(),))
    for version, state in cursor.fetchall():
        fact = PolicyChanged(
            originator_id=policy_stream(),
            originator_version=version,
            by=state["by"],
            changes=state["changes"],
        )
        policy = policy.apply(fact)
    return policy


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """What is the same for all servers, or is read for all of them at once."""

    now: datetime
    policy: SendingPolicy
    day_ends: datetime
    usage: Mapping[int, Usage]
    rolling: Mapping[int, int]
    _opens: dict[str | None, datetime | None] = field(default_factory=dict)

    def opens(self, window: str | None) -> datetime | None:
        """When the calendar and a server's own window next allow an attempt; servers share windows."""
        if window not in self._opens:
            hours: Hours = self.policy.calendar
            if window:
                hours = both(hours, Calendar.of(self.policy.timezone, window))
            self._opens[window] = hours.opens_at(self.now)
        return self._opens[window]


def _available(cursor: Any, moment: _Moment, server: Server, settings: ServerSettings) -> Availability:
    usage = moment.usage.get(server.server)
    most, window = settings.limits.sliding or (None, 0.0)
    in_window = moment.rolling.get(server.server, 0)
    frees_at = None
    if most is not None and in_window >= most:
        frees_at = _frees_at(cursor, server.server, window, in_window - most, moment.now)
    load = Load(
        enabled=server.enabled,
        opens=moment.opens(settings.window),
        suspended=(server.suspended_reason or "") if server.suspended else None,
        suspended_until=server.suspended_until,
        daily_limit=settings.daily_limit,
        daily_used=usage.used if usage else 0,
        day_ends=moment.day_ends,
        rolling_limit=most,
        rolling_used=in_window,
        rolling_frees=frees_at,
    )
    return Availability(
        number=server.server,
        name=server.name,
        from_email=settings.from_email,
        enabled=server.enabled,
        closed=why_closed(load, moment.now),
        daily_limit=load.daily_limit,
        daily_used=load.daily_used,
        rolling_limit=most,
        rolling_used=in_window,
        rolling_span=int(window),
        sent_today=usage.accepted if usage else 0,
        failed_today=usage.failed if usage else 0,
    )


def _frees_at(cursor: Any, server: int, window: float, excess: int, now: datetime) -> datetime | None:
    """When more than `excess` of the units in the window have left it."""
    cursor.execute(ENDS, {"server": server, "since": now - timedelta(seconds=window)})
    for ended_at, units in cursor.fetchall():
        excess -= units
        if excess < 0:
            end: datetime = ended_at.astimezone(UTC) + timedelta(seconds=window)
            return end
    return None
