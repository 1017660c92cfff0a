"""What a server lets through in an interval of time, held against sending one e-mail after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.forecast.throughput import Bound, ThroughputModel

RATE = 1.0


def one_by_one(
    start: float, end: float, most: int, window: float, sent: list[float], at_most: int = 10**9
) -> list[float]:
    """When e-mails go out in [start, end), one a second at the fastest; `sent` is what went out before."""
    history, now = sorted(sent), start
    while len(history) - len(sent) < at_most:
        if len(history) >= most:
            now = max(now, history[-most] + window)
        if now + 1 / RATE > end + 1e-9:
            break
        history.append(now)
        now += 1 / RATE
    return history[len(sent) :]


def test_without_limits_its_speed_decides() -> None:
    assert ThroughputModel(0, 0, None, (), 2.5).throughput(0, 100) == (250, Bound.SPEED)


def test_a_daily_limit_is_what_is_left_of_it_and_whole_again_the_next_day() -> None:
    model = ThroughputModel(100, 30, None, (), 10)
    assert model.throughput(0, 1000) == (70, Bound.DAILY)
    model.take(0, 70)
    assert model.throughput(1000, 2000).units == 0
    model.begin_day()
    assert model.throughput(90_000, 91_000).units == 100


def test_a_rolling_limit_lets_a_burst_through_in_every_window() -> None:
    model = ThroughputModel(0, 0, (100, 3600), (), 10)
    assert model.throughput(0, 5) == (50, Bound.SPEED)
    assert model.throughput(0, 3600) == (100, Bound.ROLLING)
    assert model.throughput(0, 3605) == (150, Bound.ROLLING)
    assert model.throughput(0, 12 * 3600) == (1200, Bound.ROLLING)


def test_what_the_window_holds_already_has_to_leave_it_first() -> None:
    model = ThroughputModel(0, 0, (100, 3600), [(0, 60), (1800, 40)], 10)
    assert model.throughput(1900, 3600).units == 0
    assert model.throughput(1900, 3700).units == 60
    assert model.throughput(1900, 5500).units == 100


def test_a_window_longer_than_the_night_remembers_the_day_before() -> None:
    model = ThroughputModel(0, 0, (50, 86_400), (), 10)
    eight, day = 8 * 3600.0, 86_400.0
    model.take(eight, 50)
    assert model.throughput(eight + 12 * 3600, eight + 20 * 3600).units == 0
    assert model.throughput(day + eight, day + eight + 5).units == 50
    model.take(day + eight, 50)
    assert model.throughput(2 * day + eight, 2 * day + eight + 2).units == 20


@given(
    most=st.integers(1, 12),
    window=st.integers(1, 20),
    lengths=st.lists(st.tuples(st.integers(0, 25), st.integers(1, 60), st.integers(1, 40)), max_size=4),
)
def test_it_comes_to_what_sending_one_by_one_comes_to(
    most: int, window: int, lengths: list[tuple[int, int, int]]
) -> None:
    """Stretches of so many seconds, with pauses before them, each of which is used up to so many units."""
    model, sent, now = ThroughputModel(0, 0, (most, window), (), RATE), [float(x) for x in ()], 0.0
    for pause, length, units in lengths:
        start, end = now + pause, now + pause + length
        wanted = one_by_one(start, end, most, window, sent)
        found = model.throughput(start, end)
        assert abs(found.units - len(wanted)) <= 2
        taken = min(units, found.units, len(wanted))
        model.take(start, taken)
        sent += one_by_one(start, end, most, window, sent, taken)
        now = end
