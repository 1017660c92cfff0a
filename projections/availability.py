"""Which servers take e-mails now, what each has left, and why the others take none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.calendar import Hours
from domain.capacity.capacity import Limits
from domain.delivery.waiting import CampaignState, DueCampaign, Route, Waiting, why_it_waits
from domain.failing_jobs import FailingJob
from domain.policy import PolicyChanged, SendingPolicy
from domain.server.availability import (
    RUNNING,
    Closed,
    Open,
    SendingState,
    ServerState,
    availability,
    hours_of,
)
from domain.server.settings import ServerSettings
from domain.streams import policy_stream, server_stream
from projections import daily_usage, rolling_usage, servers
from projections.daily_usage import Usage
from projections.queue import queue
from projections.servers import Server
from storage import processors

POLICY = (
    "SELECT version, convert_from(state, 'UTF8')::jsonb FROM events WHERE stream_id = %s ORDER BY version"
)


@dataclass(frozen=True, kw_only=True)
class Availability:
    """A server at one moment; what holds all of them alike is told beside. A limit of 0 (daily) or None
    (rolling) is no limit; what remains of it is None then. `rolling_span` is in seconds."""

    number: int
    name: str
    from_email: str
    enabled: bool
    answer: Open | Closed
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
    def closed(self) -> Closed | None:
        return self.answer if isinstance(self.answer, Closed) else None

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
    def route(self) -> Route:
        return Route(server=self.number, name=self.name, answer=self.answer)


@dataclass(frozen=True)
class NobodySends:
    """No processor runs. `last_seen` is when one did last, None for never; `is_missed` tells whether
    something waits for one."""

    last_seen: datetime | None
    is_missed: bool


@dataclass(frozen=True, kw_only=True)
class SendingCapacity:
    """`opens` is when the sending calendar next allows an attempt: `now` when it does, None for never.
    `sending` is what holds all servers alike; `failing` is what processors do not get done,
    `due` the campaigns that want servers now."""

    now: datetime
    timezone: str
    opens: datetime | None
    servers: list[Availability]
    sending: SendingState = RUNNING
    failing: Sequence[FailingJob] = ()
    due: Sequence[DueCampaign] = ()

    @property
    def queue_paused(self) -> bool:
        return self.sending.queue_paused

    def why_it_waits(self, campaign: CampaignState, due: datetime) -> Waiting:
        """Of a queued delivery that is due then."""
        routes = [server.route for server in self.servers]
        return why_it_waits(
            campaign,
            now=self.now,
            again=due,
            opens=self.opens,
            routes=routes,
            sending=self.sending,
            due=self.due,
        )


def capacity(cursor: Any, now: datetime) -> SendingCapacity:
    """All servers, by name, as the projections have them."""
    policy = policy_of(cursor)
    found = [(one, ServerSettings(**one.settings)) for one in servers.servers(cursor)]
    windows = {one.server: settings.limits.window for one, settings in found if settings.limits.sliding}
    moment = _Shared(
        now=now,
        policy=policy,
        usage=daily_usage.usage_on(cursor, policy.calendar.local_date(now)),
        rolling=rolling_usage.in_window(cursor, windows, now) if windows else {},
    )
    return SendingCapacity(
        now=now,
        timezone=policy.timezone,
        opens=policy.calendar.opens_at(now),
        servers=[_available(cursor, moment, one, settings) for one, settings in found],
        sending=sending_state(cursor, policy),
        failing=processors.failing_or_ending(cursor, processors.database_time(cursor)),
        due=queue.due_campaigns(cursor, now),
    )


def sending_state(cursor: Any, policy: SendingPolicy) -> SendingState:
    now = processors.database_time(cursor)
    alive = processors.alive(cursor, now, processors.PATIENCE)
    works = processors.works(cursor, now)
    jobs = processors.failing(cursor, now) if works else processors.failing_or_ending(cursor, now)
    return SendingState(
        queue_paused=policy.queue_paused,
        has_processor=bool(alive),
        is_clock_trusted=not alive or alive != processors.doubting(cursor, now, processors.PATIENCE),
        failing_job=next((str(job) for job in jobs if job.holds_up_all), None),
        works=works,
    )


def nobody_sends(cursor: Any) -> NobodySends | None:
    """None while a processor runs, and while an installation is new: none was ever there, and nothing waits
    for one."""
    if processors.running(cursor, processors.database_time(cursor)):
        return None
    found = NobodySends(processors.last_seen(cursor), queue.is_to_send(cursor))
    return found if found.is_missed or found.last_seen is not None else None


def policy_of(cursor: Any) -> SendingPolicy:
    stream = policy_stream()
    cursor.execute(POLICY, (stream,))
    return SendingPolicy.of(
        PolicyChanged(originator_id=stream, originator_version=version, **state)
        for version, state in cursor.fetchall()
    )


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """What is the same for all servers, or is read for all of them at once."""

    now: datetime
    policy: SendingPolicy
    usage: Mapping[int, Usage]
    rolling: Mapping[int, int]
    _hours: dict[str | None, Hours] = field(default_factory=dict)

    def hours(self, window: str | None) -> Hours:
        """Servers share windows."""
        if window not in self._hours:
            self._hours[window] = hours_of(self.policy, window)
        return self._hours[window]


def _available(cursor: Any, moment: _Shared, server: Server, settings: ServerSettings) -> Availability:
    usage = moment.usage.get(server.server)
    limits, in_window = settings.limits, moment.rolling.get(server.server, 0)
    is_full = limits.left_in_window(in_window) == 0
    state = ServerState(
        enabled=server.enabled,
        hours=moment.hours(settings.window),
        suspension=server.suspension,
        limits=limits,
        used_today=usage.used if usage else 0,
        in_window=in_window,
        rolling_frees=_frees_at(cursor, server.server, limits, moment.now) if is_full else None,
    )
    return Availability(
        number=server.server,
        name=server.name,
        from_email=settings.from_email,
        enabled=server.enabled,
        answer=availability(state, moment.now),
        daily_limit=limits.daily,
        daily_used=state.used_today,
        rolling_limit=limits.sliding[0] if limits.sliding else None,
        rolling_used=in_window,
        rolling_span=int(limits.window),
        sent_today=usage.accepted if usage else 0,
        failed_today=usage.failed if usage else 0,
    )


def _frees_at(cursor: Any, server: int, limits: Limits, now: datetime) -> datetime | None:
    uses = rolling_usage.uses(cursor, server, limits.window, now)
    frees = limits.frees_at(uses, now.timestamp())
    return None if frees is None else datetime.fromtimestamp(frees, UTC)
