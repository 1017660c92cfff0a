"""When a campaign will have gone out: day by day, server by server, and what the bottleneck is.

Sending is reckoned in intervals of time over which the same servers are open. In each, the servers take
what their limits and their speed let through, chosen as `domain.capacity.plan` chooses: high priority before
normal before low, campaigns of one priority by turns, the greatest remaining capacity first. Failures
and retries are not forecast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise

from domain.campaign.priority import Priority
from domain.forecast.interval import OpenInterval, by_turns, split
from domain.forecast.sender import ForecastServer, Sender, forecast_servers, open_for_the_day
from domain.forecast.throughput import Bound
from domain.policy import SendingPolicy

HORIZON = 400
"""Days. What takes longer is told as what is left by then."""

_IDLE = 16
"""Days without any capacity after which there will be none: the calendar repeats sooner."""
_STEPS = 48


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What waits in one campaign, or will from `starts` on. `server` is the only one it may go through."""

    campaign: int
    count: int
    priority: str = Priority.NORMAL.value
    server: int | None = None
    starts: datetime | None = None


@dataclass(kw_only=True)
class Day:
    """`servers` has the campaign's e-mails by server, `others` those of all other campaigns; `capacity` is
    what the servers could have taken."""

    date: date
    opens: datetime
    closes: datetime
    servers: dict[int, int] = field(default_factory=dict)
    others: int = 0
    capacity: int = 0

    @property
    def total(self) -> int:
        return sum(self.servers.values())


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """`days` are those on which something goes out, of the campaign or before it. `left` does not go out
    within the horizon; `finish` is None then. `bounds` counts what each kind of limit let through on days
    that were used up; `others` are other campaigns' e-mails that go out until the finish."""

    recipients: int
    start: datetime | None
    finish: datetime | None
    days: Sequence[Day]
    left: int
    bounds: Mapping[Bound, int]
    others: int
    is_speed_assumed: bool

    @property
    def finish_day(self) -> date | None:
        return self.days[-1].date if self.days and self.finish else None


def forecast(
    campaign: int | None,
    demands: Iterable[Demand],
    senders: Sequence[Sender],
    policy: SendingPolicy,
    now: datetime,
    horizon: int = HORIZON,
) -> Forecast:
    """Of one campaign among all that wait; of all of them together when `campaign` is None."""
    return _Course(campaign, demands, senders, policy, now).run(horizon)


@dataclass(slots=True)
class _QueuedDemand:
    demand: Demand
    left: int
    starts: float
    is_wanted: bool


class _Course:
    def __init__(
        self,
        campaign: int | None,
        demands: Iterable[Demand],
        senders: Sequence[Sender],
        policy: SendingPolicy,
        now: datetime,
    ) -> None:
        self._policy = policy
        self._now = now
        self._servers = forecast_servers(senders, policy)
        self._waiting = [
            _QueuedDemand(
                one,
                one.count,
                max(now, one.starts or now).timestamp(),
                campaign is None or one.campaign == campaign,
            )
            for one in demands
            if one.count > 0
        ]
        self._days: list[Day] = []
        self._start: float | None = None
        self._finish = 0.0
        self._bounds: dict[Bound, int] = dict.fromkeys(Bound, 0)
        self._others = 0

    def run(self, horizon: int) -> Forecast:
        recipients = self._left()
        at, idle = self._now, 0
        for _ in range(horizon):
            if not self._left() or (idle > _IDLE and not self._changes_after(at)):
                break
            midnight = self._policy.calendar.midnight_after(at)
            if any(one.left and one.starts < midnight.timestamp() for one in self._waiting):
                capacity = self._run_day(at, midnight)
                idle = 0 if capacity else idle + 1
            at = midnight
            for server in self._servers:
                server.model.begin_day()
        left = self._left()
        return Forecast(
            recipients=recipients,
            start=_instant(self._start),
            finish=None if left or self._start is None else _instant(self._finish),
            days=self._days,
            left=left,
            bounds=self._bounds,
            others=self._others,
            is_speed_assumed=any(server.sender.rate is None for server in self._servers),
        )

    def _left(self) -> int:
        return sum(one.left for one in self._waiting if one.is_wanted)

    def _changes_after(self, at: datetime) -> bool:
        moment = at.timestamp()
        return any(server.usable_from > moment for server in self._servers) or any(
            one.starts > moment and one.left for one in self._waiting
        )

    def _run_day(self, at: datetime, midnight: datetime) -> int:
        """What the servers could take on that day, until the campaign was through."""
        open_for_the_day(self._servers, at, midnight)
        edges = sorted({edge for server in self._servers for pair in server.intervals for edge in pair})
        if not edges:
            return 0
        starts = {one.starts for one in self._waiting if edges[0] < one.starts < edges[-1]}
        day = Day(
            date=self._policy.calendar.local_date(at),
            opens=datetime.fromtimestamp(edges[0], UTC),
            closes=datetime.fromtimestamp(edges[-1], UTC),
        )
        cuts = sorted({*edges, *starts})
        for start, end in pairwise(cuts):
            if self._left():
                servers = [server for server in self._servers if server.is_open(start)]
                if servers:
                    self._run_interval(day, servers, start, end)
        if day.total or day.others:
            self._days.append(day)
        return day.capacity

    def _run_interval(self, day: Day, servers: list[ForecastServer], start: float, end: float) -> None:
        interval = OpenInterval({server.sender.server: server.model for server in servers}, start, end)
        day.capacity += sum(throughput.units for throughput in interval.throughputs.values())
        active = [one for one in self._waiting if one.left and one.starts <= start]
        if not active:
            return
        for priority in Priority:
            peers = [one for one in active if one.demand.priority == priority.value]
            if peers:
                self._serve(day, interval, peers)
        for server in servers:
            server.model.take(start, interval.taken[server.sender.server])
        if self._left():
            for throughput in interval.throughputs.values():
                self._bounds[throughput.bound] += throughput.units

    def _serve(self, day: Day, interval: OpenInterval, peers: list[_QueuedDemand]) -> None:
        """Campaigns of one priority take turns. Only where some are bound to a server and others are not
        does it matter who comes when: then they go step by step, a 48th of the turns at a time."""
        automatic = [one for one in peers if one.demand.server is None]
        direct = [one for one in peers if one.demand.server is not None]
        most = max(one.left for one in peers)
        turns = -(-most // _STEPS) if automatic and direct else most
        while True:
            placed = self._serve_direct(day, interval, direct, turns)
            placed += self._serve_automatic(day, interval, automatic, turns, is_all=not direct)
            if not placed or turns == most:
                break

    def _serve_direct(self, day: Day, interval: OpenInterval, direct: list[_QueuedDemand], turns: int) -> int:
        placed = 0
        for server in sorted({one.demand.server for one in direct if one.demand.server is not None}):
            remaining = interval.remaining(server)
            those = [one for one in direct if one.demand.server == server and one.left]
            given = by_turns([min(one.left, turns) for one in those], remaining)
            for one, units in zip(those, given, strict=True):
                self._place(day, interval, one, {server: units})
                placed += units
        return placed

    def _serve_automatic(
        self, day: Day, interval: OpenInterval, automatic: list[_QueuedDemand], turns: int, is_all: bool
    ) -> int:
        those = [one for one in automatic if one.left]
        wanted = [min(one.left, turns) for one in those]
        total = min(sum(wanted), interval.all_remaining())
        if not total:
            return 0
        is_short = is_all and sum(wanted) <= total
        chosen = interval.choose(
            total, interval.time_for(total) if is_short else interval.end, self._policy.strategy
        )
        given = by_turns(wanted, total)
        ends = [
            interval.time_for(sum(min(units, other) for other in given))
            if is_all and one.is_wanted and units == one.left
            else None
            for one, units in zip(those, given, strict=True)
        ]
        mine = [(one, units, at) for one, units, at in zip(those, given, ends, strict=True) if one.is_wanted]
        others = [(one, units) for one, units in zip(those, given, strict=True) if not one.is_wanted]
        *parts, rest = split(chosen, [*(units for _, units, _ in mine), sum(units for _, units in others)])
        for (one, _, at), part in zip(mine, parts, strict=True):
            self._place(day, interval, one, part, at)
        self._place_others(day, interval, others, rest)
        return total

    def _place_others(
        self,
        day: Day,
        interval: OpenInterval,
        others: Sequence[tuple[_QueuedDemand, int]],
        part: Mapping[int, int],
    ) -> None:
        """Which of them goes through which server nobody wants to know."""
        for one, units in others:
            one.left -= units
            day.others += units
            self._others += units
        for server, n in part.items():
            interval.taken[server] += n

    def _place(
        self,
        day: Day,
        interval: OpenInterval,
        one: _QueuedDemand,
        part: dict[int, int],
        at: float | None = None,
    ) -> None:
        units = sum(part.values())
        if not units:
            return
        one.left -= units
        for server, n in part.items():
            interval.taken[server] += n
        if not one.is_wanted:
            day.others += units
            self._others += units
            return
        for server, n in part.items():
            if n:
                day.servers[server] = day.servers.get(server, 0) + n
        self._start = interval.start if self._start is None else self._start
        if not one.left:
            self._finish = max(self._finish, interval.time_of(part) if at is None else at)


def _instant(moment: float | None) -> datetime | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC)
