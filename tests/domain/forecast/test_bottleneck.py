"""What holds a campaign up, and what would change it: every change is held against its own forecast."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from domain.forecast.bottleneck import Assessment, Change, Situation, assess
from domain.forecast.forecast import Demand
from domain.forecast.sender import Sender
from domain.policy import SendingPolicy

SIX = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
NINE = SIX + timedelta(hours=3)
BERLIN = SendingPolicy(timezone="Europe/Berlin", windows="08:00-20:00")
THIRTY = [Sender(server=n, daily_limit=1000, rate=1.0) for n in range(1, 31)]
SITUATION = Situation(
    campaign=1,
    demands=[Demand(campaign=1, count=100_000)],
    senders=THIRTY,
    policy=BERLIN,
    now=SIX,
    names={n: f"mail{n}" for n in range(1, 31)},
)


def day(change: Change) -> date:
    return BERLIN.calendar.local_date(change.finish)


def told(found: Assessment, code: str) -> list[Change]:
    return [change for change in found.changes if change.code == code]


def test_the_daily_limits_hold_up_what_takes_four_days_and_more_a_day_takes_fewer() -> None:
    found = assess(SITUATION)
    assert found.bottleneck.code == "daily"
    assert [(change.text, day(change).day) for change in told(found, "capacity")] == [
        ("3,400 more a day", 6),
        ("20,000 more a day", 5),
        ("70,000 more a day", 4),
    ]


def test_nothing_holds_up_what_fits_into_today() -> None:
    found = assess(replace(SITUATION, demands=[Demand(campaign=1, count=10_000)], now=NINE))
    assert (found.bottleneck.code, list(found.changes)) == ("none", [])


def test_a_server_that_is_switched_off_is_named() -> None:
    resting = replace(THIRTY[6], daily_limit=50_000, usable_from=None, rate=10.0)
    found = assess(replace(SITUATION, senders=[*THIRTY[:6], *THIRTY[7:], resting]))
    change = told(found, "server")[0]
    assert (change.text, change.server, day(change)) == ("With mail7 sending again", 7, date(2026, 3, 5))


def test_priority_counts_where_others_go_first_or_beside() -> None:
    demands = [Demand(campaign=1, count=20_000), Demand(campaign=2, count=60_000, priority="high")]
    found = assess(replace(SITUATION, demands=demands))
    assert day(told(found, "priority")[0]) == date(2026, 3, 5)
    assert not told(assess(SITUATION), "priority")


def test_speed_and_hours_hold_up_what_no_limit_does() -> None:
    slow = [Sender(server=1, rate=1.0)]
    found = assess(replace(SITUATION, senders=slow))
    assert found.bottleneck.code == "window"
    assert abs(told(found, "window")[0].finish - SIX - timedelta(seconds=100_000)) < timedelta(seconds=1)
    assert assess(replace(SITUATION, senders=slow, policy=SendingPolicy())).bottleneck.code == "speed"


def test_rolling_limits_that_bind_are_told_and_doubled() -> None:
    rolling = [replace(one, daily_limit=0, rolling=(50, 3600.0)) for one in THIRTY]
    found = assess(replace(SITUATION, senders=rolling))
    assert found.bottleneck.code == "rolling"
    assert found.forecast.finish_day == date(2026, 3, 9)
    assert day(told(found, "rolling")[0]) == date(2026, 3, 6)


def test_direct_sending_is_held_up_by_its_server_alone() -> None:
    found = assess(replace(SITUATION, demands=[Demand(campaign=1, count=2_500, server=7)]))
    assert found.bottleneck.code == "daily"
    assert [(c.text, day(c).day) for c in told(found, "capacity")] == [
        ("250 more a day", 5),
        ("1,500 more a day", 4),
    ]
    assert day(told(found, "automatic")[0]) == date(2026, 3, 4)


def test_it_says_why_nothing_can_go_out() -> None:
    assert assess(replace(SITUATION, senders=[])).bottleneck.code == "no_server"
    off = [replace(one, usable_from=None) for one in THIRTY]
    assert assess(replace(SITUATION, senders=off)).bottleneck.code == "no_server"
    never = [replace(one, window="03:00-04:00") for one in THIRTY]
    found = assess(replace(SITUATION, senders=never))
    assert found.bottleneck.code == "calendar"
    assert told(found, "window")
    assert assess(replace(SITUATION, demands=[])).bottleneck.code == "none"
