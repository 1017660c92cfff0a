"""The forecast: the days that the real plan would need, found without planning each e-mail."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import repeat

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.capacity.plan import Batch, Candidate, Offer, interleave, plan
from domain.forecast.forecast import Demand, Forecast, forecast
from domain.forecast.interval import by_turns, split
from domain.forecast.sender import Sender
from domain.forecast.throughput import Bound
from domain.policy import SendingPolicy

SIX = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
WEDNESDAY = date(2026, 3, 4)
BERLIN = SendingPolicy(timezone="Europe/Berlin", windows="08:00-20:00")
AT_ONCE = 1e9


def thirty(**settings: object) -> list[Sender]:
    return [Sender(server=n, daily_limit=1000, **settings) for n in range(1, 31)]  # type: ignore[arg-type]


def totals(found: Forecast) -> list[int]:
    return [day.total for day in found.days]


def test_a_hundred_thousand_through_thirty_servers_of_a_thousand_take_four_days() -> None:
    found = forecast(1, [Demand(campaign=1, count=100_000)], thirty(rate=1.0), BERLIN, SIX)
    assert totals(found) == [30_000, 30_000, 30_000, 10_000]
    assert [day.date for day in found.days] == [WEDNESDAY + timedelta(n) for n in range(4)]
    assert all(day.servers == dict.fromkeys(range(1, 31), 1000) for day in found.days[:3])
    assert sorted(found.days[3].servers.values()) == [333] * 20 + [334] * 10
    assert found.start == datetime(2026, 3, 4, 7, 0, tzinfo=UTC)
    finish = datetime(2026, 3, 7, 7, 0, tzinfo=UTC) + timedelta(seconds=334)
    assert found.finish is not None
    assert abs(found.finish - finish) < timedelta(seconds=1)
    assert found.bounds == {Bound.DAILY: 90_000, Bound.ROLLING: 0, Bound.SPEED: 0}


def test_what_was_used_today_is_not_there_today() -> None:
    found = forecast(1, [Demand(campaign=1, count=100_000)], thirty(used_today=900), BERLIN, SIX)
    assert totals(found) == [3_000, 30_000, 30_000, 30_000, 7_000]


def test_weekends_off_are_days_off() -> None:
    policy = SendingPolicy(timezone="Europe/Berlin", windows="08:00-20:00", weekdays=(1, 2, 3, 4, 5))
    found = forecast(1, [Demand(campaign=1, count=100_000)], thirty(), policy, SIX)
    assert found.finish_day == date(2026, 3, 9)
    assert totals(found) == [30_000, 30_000, 30_000, 10_000]


def test_higher_priority_goes_first_and_equal_priority_by_turns() -> None:
    demands = [
        Demand(campaign=1, count=40_000),
        Demand(campaign=2, count=40_000),
        Demand(campaign=3, count=40_000, priority="high"),
        Demand(campaign=4, count=40_000, priority="low"),
    ]
    found = forecast(1, demands, thirty(), BERLIN, SIX)
    assert [(day.total, day.others) for day in found.days] == [
        (0, 30_000), (10_000, 20_000), (15_000, 15_000), (15_000, 15_000),
    ]  # fmt: skip
    assert found.others == 80_000
    assert totals(forecast(4, demands, thirty(), BERLIN, SIX)) == [0, 0, 0, 0, 30_000, 10_000]
    assert totals(forecast(None, demands, thirty(), BERLIN, SIX)) == [30_000] * 5 + [10_000]


def test_small_campaigns_beside_a_large_one_get_what_they_want_and_no_more() -> None:
    demands = [Demand(campaign=1, count=245), *(Demand(campaign=n, count=6) for n in range(2, 11))]
    found = forecast(1, demands, thirty(), BERLIN, SIX)
    assert totals(found) == [245]
    assert found.others == 54
    assert found.finish_day == WEDNESDAY


def test_nothing_is_reckoned_for_the_days_before_a_campaign_starts() -> None:
    starts = SIX + timedelta(days=300)
    found = forecast(1, [Demand(campaign=1, count=10, starts=starts)], thirty(used_today=1000), BERLIN, SIX)
    assert totals(found) == [10]
    assert found.bounds == dict.fromkeys(Bound, 0)


@given(
    st.dictionaries(st.integers(1, 40), st.integers(0, 60), min_size=1, max_size=40),
    st.lists(st.integers(0, 100), min_size=1, max_size=12),
)
def test_what_the_servers_take_is_shared_out_whole(chosen: dict[int, int], wanted: list[int]) -> None:
    shares = by_turns(wanted, sum(chosen.values()))
    total = sum(shares)
    assume(total)
    taken = dict.fromkeys(chosen, 0)
    for server in chosen:
        taken[server] = min(chosen[server], total - sum(taken.values()))
    parts = split(taken, shares)
    assert [sum(part.values()) for part in parts] == shares
    assert {server: sum(part.get(server, 0) for part in parts) for server in taken} == taken


def test_a_campaign_that_starts_later_takes_nothing_before() -> None:
    demands = [
        Demand(campaign=1, count=60_000),
        Demand(campaign=2, count=60_000, priority="high", starts=SIX + timedelta(days=1)),
    ]
    found = forecast(1, demands, thirty(), BERLIN, SIX)
    assert totals(found) == [30_000, 0, 0, 30_000]
    assert totals(forecast(2, demands, thirty(), BERLIN, SIX))[1:] == [30_000, 30_000]


def test_direct_sending_takes_only_its_server() -> None:
    demands = [Demand(campaign=1, count=2_500, server=7), Demand(campaign=2, count=20_000)]
    found = forecast(1, demands, thirty(), BERLIN, SIX)
    assert [day.servers for day in found.days if day.total] == [{7: 1000}, {7: 1000}, {7: 500}]


def test_a_server_that_rests_until_noon_takes_its_share_after_noon() -> None:
    noon = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    servers = [Sender(server=1, rate=1.0), Sender(server=2, rate=1.0, usable_from=noon)]
    found = forecast(1, [Demand(campaign=1, count=25_000)], servers, BERLIN, SIX)
    assert found.days[0].servers == {1: 21_500, 2: 3_500}
    assert found.bounds[Bound.SPEED] == 18_000


def test_without_a_server_nothing_is_forecast() -> None:
    for servers in (
        [],
        [Sender(server=1, daily_limit=10, usable_from=None)],
        [Sender(server=1, window="03:00-04:00")],
    ):
        found = forecast(1, [Demand(campaign=1, count=10)], servers, BERLIN, SIX)
        assert (found.start, found.finish, found.left, list(found.days)) == (None, None, 10, [])


def test_what_takes_longer_than_the_horizon_is_left() -> None:
    found = forecast(1, [Demand(campaign=1, count=1_000)], [Sender(server=1, daily_limit=1)], BERLIN, SIX)
    assert (sum(totals(found)), found.left, found.finish) == (400, 600, None)


def test_days_of_23_and_25_hours_have_their_hours() -> None:
    """Europe/Berlin, 2026-03-29 and 2026-10-25; one e-mail a second."""
    policy = SendingPolicy(timezone="Europe/Berlin")
    for midnight, hours in (
        (datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
    ):
        found = forecast(1, [Demand(campaign=1, count=10**6)], [Sender(server=1, rate=1.0)], policy, midnight)
        assert totals(found)[:2] == [hours * 3600, 24 * 3600]


campaigns = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["high", "normal", "low"])), min_size=1, max_size=4
)
limits = st.lists(st.tuples(st.integers(1, 15), st.integers(0, 15)), min_size=1, max_size=5)


def planned_days(
    counts: dict[int, int],
    priority: dict[int, str],
    direct: dict[int, int | None],
    limits: list[tuple[int, int]],
) -> list[Counter[tuple[int, int]]]:
    """The real plan, once a day: (campaign, server) -> how many."""
    left, days = dict(counts), []
    for used in [[used for _, used in limits], *repeat([0] * len(limits), 100)]:
        batches = [
            Batch(c, priority[c], [Candidate(c, n, direct[c]) for n in range(left[c])]) for c in sorted(left)
        ]
        offers = [
            Offer(n, max(0, limit - u), limit, u, 10**9)
            for n, ((limit, _), u) in enumerate(zip(limits, used, strict=True), 1)
        ]
        day = Counter((a.candidate.campaign, a.server) for a in plan(interleave(batches), offers))
        for (c, _), n in day.items():
            left[c] -= n
        days.append(day)
        if not any(left.values()):
            break
    return days


@settings(max_examples=150, deadline=None)
@given(given_campaigns=campaigns, limits=limits, is_direct=st.booleans())
def test_every_day_is_what_the_real_plan_makes_of_it(
    given_campaigns: list[tuple[int, str]], limits: list[tuple[int, int]], is_direct: bool
) -> None:
    numbers = range(1, len(given_campaigns) + 1)
    counts = {c: given_campaigns[c - 1][0] for c in numbers}
    priority = {c: given_campaigns[c - 1][1] for c in numbers}
    direct = {c: (1 + c % len(limits) if is_direct else None) for c in numbers}
    demands = [Demand(campaign=c, count=counts[c], priority=priority[c], server=direct[c]) for c in numbers]
    senders = [
        Sender(server=n, daily_limit=limit, used_today=used, rate=AT_ONCE)
        for n, (limit, used) in enumerate(limits, 1)
    ]
    days = planned_days(counts, priority, direct, limits)
    everything = {day.date: day for day in forecast(None, demands, senders, BERLIN, SIX).days}
    for place, day in enumerate(days):
        servers: Counter[int] = Counter()
        for (_, server), n in day.items():
            servers[server] += n
        found = everything.get(WEDNESDAY + timedelta(place))
        assert (found.servers if found else {}) == servers
    for campaign in numbers:
        mine = {day.date: day.total for day in forecast(campaign, demands, senders, BERLIN, SIX).days}
        for place, day in enumerate(days):
            assert mine.get(WEDNESDAY + timedelta(place), 0) == sum(
                n for (c, _), n in day.items() if c == campaign
            )


@settings(max_examples=100, deadline=None)
@given(given_campaigns=campaigns, limits=limits, servers=st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_bound_and_free_campaigns_together_lose_and_gain_nothing(
    given_campaigns: list[tuple[int, str]], limits: list[tuple[int, int]], servers: list[int]
) -> None:
    demands = [
        Demand(campaign=c, count=n, priority=p, server=servers[c] if 0 < servers[c] <= len(limits) else None)
        for c, (n, p) in enumerate(given_campaigns)
    ]
    senders = [Sender(server=n, daily_limit=limit, rate=AT_ONCE) for n, (limit, _) in enumerate(limits, 1)]
    found = forecast(None, demands, senders, BERLIN, SIX)
    assert sum(totals(found)) == sum(demand.count for demand in demands)
    assert not found.left
    for day in found.days:
        assert all(n <= limits[server - 1][0] for server, n in day.servers.items())
