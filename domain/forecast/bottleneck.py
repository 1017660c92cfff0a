"""What a forecast means for who plans a campaign: what its bottleneck is, and what would change that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from domain.campaign.priority import Priority
from domain.forecast.forecast import HORIZON, Demand, Forecast, forecast
from domain.forecast.sender import EVER, Sender
from domain.forecast.throughput import Bound
from domain.policy import SendingPolicy

WORTH_TELLING = timedelta(minutes=30)
MOST_CHANGES = 5
MOST_FOLD = 5
"""More than so many times the daily limits of today is no advice."""

_TRIES = 4
_EXTRA = 0
"""The number of a server that is not there yet; real ones count from 1."""


BottleneckCode = Literal["none", "speed", "window", "daily", "rolling", "horizon", "calendar", "no_server"]
"""For programs."""


@dataclass(frozen=True, kw_only=True)
class Bottleneck:
    code: BottleneckCode
    text: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that would bring the finish forward. `amount` and `server` are those of the text."""

    code: str
    text: str
    finish: datetime
    amount: int | None = None
    server: int | None = None


@dataclass(frozen=True, kw_only=True)
class Assessment:
    forecast: Forecast
    bottleneck: Bottleneck
    changes: Sequence[Change]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a forecast for `campaign` is made from; `names` are the servers'. `is_approximate` when
    nobody has counted how many recipients it has."""

    campaign: int
    demands: Sequence[Demand]
    senders: Sequence[Sender]
    policy: SendingPolicy
    now: datetime
    names: Mapping[int, str]
    is_approximate: bool = False

    @property
    def demand(self) -> Demand | None:
        return next((one for one in self.demands if one.campaign == self.campaign), None)

    @property
    def usable(self) -> list[Sender]:
        """The servers that the campaign may go through, be they available or not."""
        only = self.demand.server if self.demand else None
        return [one for one in self.senders if only in (None, one.server)]

    def forecast(self, until: date | None = None) -> Forecast:
        """What is through after `until` has no finish then."""
        today = self.policy.calendar.local_date(self.now)
        horizon = HORIZON if until is None else (until - today).days + 1
        return forecast(self.campaign, self.demands, self.senders, self.policy, self.now, horizon)

    def with_demand(self, **changes: object) -> Situation:
        demands = [
            replace(one, **changes) if one.campaign == self.campaign else one  # type: ignore[arg-type]
            for one in self.demands
        ]
        return replace(self, demands=demands)

    def with_sender(self, sender: Sender) -> Situation:
        """In the place of the one with its number, or as another one."""
        others = [one for one in self.senders if one.server != sender.server]
        return replace(self, senders=[*others, sender])


def assess(situation: Situation) -> Assessment:
    found = situation.forecast()
    return Assessment(
        forecast=found, bottleneck=bottleneck(situation, found), changes=changes(situation, found)
    )


def bottleneck(situation: Situation, found: Forecast) -> Bottleneck:
    if not found.recipients:
        return Bottleneck(code="none", text="There are no recipients.")
    if found.start is None:
        return _why_never(situation)
    if found.left:
        return Bottleneck(code="horizon", text="The limits are too low for so many recipients.")
    code = max(found.bounds, key=lambda bound: found.bounds[bound])
    if not found.bounds[code]:
        return Bottleneck(
            code="none", text="No limit is reached: it goes out as fast as the servers accept it."
        )
    if code is Bound.DAILY:
        return Bottleneck(code="daily", text="The daily limits of the servers are used up every day.")
    if code is Bound.ROLLING:
        return Bottleneck(code="rolling", text="The rolling limits of the servers are reached.")
    if situation.policy.windows or any(one.window for one in situation.usable):
        return Bottleneck(
            code="window",
            text="The speed of the servers: the sending window closes before everything is sent.",
        )
    return Bottleneck(code="speed", text="The speed of the servers.")


def _why_never(situation: Situation) -> Bottleneck:
    if not situation.usable:
        return Bottleneck(code="no_server", text="There is no SMTP server to send it.")
    if all(one.usable_from is None for one in situation.usable):
        return Bottleneck(code="no_server", text="Every server that could send it is disabled or suspended.")
    return Bottleneck(
        code="calendar", text="The sending window leaves no time at which a server may send it."
    )


def changes(situation: Situation, found: Forecast) -> list[Change]:
    """Those that bring the finish forward by half an hour or more, each reckoned by a forecast."""
    if not found.recipients:
        return []
    kept: list[Change] = []
    for change in _ideas(situation, found):
        latest = found.finish - WORTH_TELLING if found.finish else datetime.max.replace(tzinfo=EVER.tzinfo)
        if change.finish <= latest:
            kept.append(change)
        if len(kept) == MOST_CHANGES:
            break
    return kept


def _ideas(situation: Situation, found: Forecast) -> Iterator[Change]:
    yield from _servers_back(situation, found.finish_day)
    if found.bounds[Bound.DAILY]:
        yield from _more_a_day(situation, found)
    if found.bounds[Bound.ROLLING]:
        yield from _told(
            "rolling",
            "Twice the rolling limits",
            replace(situation, senders=[_with_twice_the_window(one) for one in situation.senders]),
            found.finish_day,
        )
    demand = situation.demand
    if demand is not None and demand.server is not None and len(situation.senders) > 1:
        yield from _told(
            "automatic",
            "Through all servers, automatically",
            situation.with_demand(server=None),
            found.finish_day,
        )
    if demand is not None and found.others and demand.priority != Priority.HIGH.value:
        yield from _told(
            "priority",
            "With high priority",
            situation.with_demand(priority=Priority.HIGH.value),
            found.finish_day,
        )
    yield from _longer_hours(situation, found.finish_day)


def _servers_back(situation: Situation, until: date | None) -> Iterator[Change]:
    """The one of those that are disabled or suspended that would help most."""
    unavailable = [
        one
        for one in situation.usable
        if one.usable_from is None or one.usable_from > situation.now + WORTH_TELLING
    ]
    ideas = [
        Change(code="server", text=f"With {name} sending again", finish=finish, server=one.server)
        for one in sorted(unavailable, key=lambda sender: sender.daily_limit or 10**9, reverse=True)[:3]
        if (name := situation.names.get(one.server)) is not None
        and (finish := situation.with_sender(replace(one, usable_from=EVER)).forecast(until).finish)
        is not None
    ]
    yield from sorted(ideas, key=lambda idea: idea.finish)[:1]


def _more_a_day(situation: Situation, found: Forecast) -> Iterator[Change]:
    """What it takes to be through one day earlier, in half the days, and on the first day."""
    last = len(found.days) - 1
    starts = situation.demand.starts if situation.demand else None
    first = situation.policy.calendar.local_date(starts or situation.now)
    for place in sorted({last - 1, last // 2, 0} - {last, -1}, reverse=True):
        if found.finish is None or place < 0 or found.days[place].date < first:
            continue
        rest = sum(day.total + day.others for day in found.days[place + 1 :])
        amount = -(-rest // (place + 1))
        if amount > MOST_FOLD * sum(one.daily_limit for one in situation.usable):
            continue
        for _ in range(_TRIES):
            amount = _round(amount)
            finish = _with_more(situation, amount).forecast(found.days[place].date).finish
            if finish is not None:
                yield Change(code="capacity", text=f"{amount:,} more a day", finish=finish, amount=amount)
                break
            amount = amount * 5 // 4


def _with_more(situation: Situation, amount: int) -> Situation:
    only = situation.demand.server if situation.demand else None
    for one in situation.senders:
        if one.server == only:
            return situation.with_sender(replace(one, daily_limit=one.daily_limit + amount))
    return situation.with_sender(Sender(server=_EXTRA, daily_limit=amount, rate=max(1.0, amount / 600)))


def _round(amount: int) -> int:
    """Up to two digits that count: 3,334 is 3,400."""
    step: int = 10 ** max(0, len(str(amount)) - 2)
    return -(-amount // step) * step


def _with_twice_the_window(sender: Sender) -> Sender:
    if sender.rolling is None:
        return sender
    most, window = sender.rolling
    return replace(sender, rolling=(2 * most, window))


def _longer_hours(situation: Situation, until: date | None) -> Iterator[Change]:
    policy = situation.policy
    if len(policy.weekdays) < 7:
        yield from _told(
            "weekdays",
            "Sending on every day of the week",
            replace(situation, policy=replace(policy, weekdays=(1, 2, 3, 4, 5, 6, 7))),
            until,
        )
    if policy.windows:
        yield from _told(
            "window",
            "Sending around the clock",
            replace(situation, policy=replace(policy, windows="")),
            until,
        )


def _told(code: str, text: str, situation: Situation, until: date | None) -> Iterator[Change]:
    finish = situation.forecast(until).finish
    if finish is not None:
        yield Change(code=code, text=text, finish=finish)
