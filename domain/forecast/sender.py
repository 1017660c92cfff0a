"""Servers as a forecast sees them: what each may still send, and when it is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.calendar import Hours
from domain.forecast.throughput import ThroughputModel
from domain.policy import SendingPolicy
from domain.server.availability import ServerState, Suspension, hours_of, in_force, open_intervals

ASSUMED_RATE = 5.0
"""E-mails a second that a server is taken to send as long as nobody has measured it."""

EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A server as the forecast sees it. `usable_from` is None when it may not be used until somebody says
    so; `uses` are what its rolling window holds now: (epoch second, units); `rate` is in e-mails a second,
    None where it was never measured."""

    server: int
    daily_limit: int = 0
    used_today: int = 0
    rolling: tuple[int, float] | None = None
    uses: Sequence[tuple[float, int]] = ()
    window: str | None = None
    rate: float | None = None
    usable_from: datetime | None = EVER


@dataclass(slots=True)
class ForecastServer:
    """A sender with the hours of the present day in which it is open."""

    sender: Sender
    model: ThroughputModel
    state: ServerState
    usable_from: float
    intervals: list[tuple[float, float]] = field(default_factory=list)

    def is_open(self, start: float) -> bool:
        return any(opens <= start < closes for opens, closes in self.intervals)


def forecast_servers(senders: Iterable[Sender], policy: SendingPolicy) -> list[ForecastServer]:
    """Those that may be used at some time."""
    hours: dict[str | None, Hours] = {}
    found = []
    for sender in senders:
        if sender.usable_from is None:
            continue
        if sender.window not in hours:
            hours[sender.window] = hours_of(policy, sender.window)
        model = ThroughputModel(
            sender.daily_limit, sender.used_today, sender.rolling, sender.uses, sender.rate or ASSUMED_RATE
        )
        state = ServerState(
            enabled=True, hours=hours[sender.window], suspension=Suspension("", sender.usable_from)
        )
        found.append(ForecastServer(sender, model, state, max(0.0, sender.usable_from.timestamp())))
    return found


def open_for_the_day(servers: Iterable[ForecastServer], at: datetime, midnight: datetime) -> None:
    """Sets their intervals from `at` to `midnight`; those that differ in nothing share them."""
    known: dict[tuple[str | None, datetime | None], list[tuple[float, float]]] = {}
    for server in servers:
        suspension = server.state.suspension
        holding = in_force(suspension, at)
        until = holding.until if holding is not None else None
        key = server.sender.window, until
        if key not in known:
            known[key] = [
                (opens.timestamp(), closes.timestamp())
                for opens, closes in open_intervals(server.state, at, midnight)
            ]
        server.intervals = known[key]
