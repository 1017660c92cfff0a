"""Servers as a forecast sees them: what each may still send, and when it is open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.calendar import Calendar, Hours, both
from domain.forecast.throughput import Flow
from domain.policy import SendingPolicy

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
class Gate:
    """A server with its stretches of the present day."""

    sender: Sender
    flow: Flow
    hours: Hours
    usable_from: float
    stretches: list[tuple[float, float]] = field(default_factory=list)

    def is_open(self, start: float) -> bool:
        return any(opens <= start < closes for opens, closes in self.stretches)


def open_gates(senders: Iterable[Sender], policy: SendingPolicy) -> list[Gate]:
    hours: dict[str | None, Hours] = {None: policy.calendar}
    gates = []
    for sender in senders:
        if sender.usable_from is None:
            continue
        if sender.window not in hours:
            own = Calendar.of(policy.timezone, sender.window or "")
            hours[sender.window] = both(policy.calendar, own) if sender.window else policy.calendar
        flow = Flow(
            sender.daily_limit, sender.used_today, sender.rolling, sender.uses, sender.rate or ASSUMED_RATE
        )
        usable_from = max(0.0, sender.usable_from.timestamp())
        gates.append(Gate(sender, flow, hours[sender.window], usable_from))
    return gates


def open_for_the_day(gates: Iterable[Gate], at: datetime, midnight: datetime) -> None:
    """Sets their stretches from `at` to `midnight`."""
    known: dict[str | None, list[tuple[float, float]]] = {}
    for gate in gates:
        window = gate.sender.window
        if window not in known:
            known[window] = list(_stretches(gate.hours, at, midnight))
        usable = gate.usable_from
        gate.stretches = [(max(opens, usable), closes) for opens, closes in known[window] if closes > usable]


def _stretches(hours: Hours, at: datetime, end: datetime) -> Iterator[tuple[float, float]]:
    """Open ones that touch [at, end), cut to it."""
    opens = hours.opens_at(at)
    while opens is not None and opens < end:
        closes = hours.closes_at(opens) or end
        yield opens.timestamp(), min(closes, end).timestamp()
        opens = hours.opens_at(closes) if closes < end else None
