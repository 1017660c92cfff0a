"""One question, may this server send now, and one answer for whoever asks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.capacity.capacity import Limits
from domain.policy import SendingPolicy
from domain.server.availability import (
    Closed,
    Open,
    Reason,
    SendingState,
    ServerState,
    Suspension,
    availability,
    hours_of,
    open_intervals,
    usable_from,
)

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
MIDNIGHT = datetime(2026, 3, 5, tzinfo=UTC)
ALWAYS = SendingPolicy()


def server(window: str | None = None, policy: SendingPolicy = ALWAYS, **others: object) -> ServerState:
    return ServerState(**{"enabled": True, "hours": hours_of(policy, window), **others})  # type: ignore[arg-type]


SUSPENSION = Suspension("421 no", LATER)
TEN_A_DAY, FIVE_AN_HOUR = Limits(10), Limits(0, (5, 3600.0))


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (server(), Open()),
        (server("08:00-20:00"), Open(NOW.replace(hour=20))),
        (server(enabled=False, suspension=SUSPENSION), Closed(Reason.DISABLED)),
        (server(suspension=SUSPENSION), Closed(Reason.SUSPENDED, LATER, "421 no")),
        (server(suspension=Suspension("by hand", None)), Closed(Reason.SUSPENDED, None, "by hand")),
        (server(suspension=Suspension("421 no", NOW)), Open()),
        (server("13:00-20:00"), Closed(Reason.WINDOW_CLOSED, LATER)),
        (server("13:00-20:00", SendingPolicy(windows="08:00-10:00")), Closed(Reason.WINDOW_CLOSED)),
        (server("13:00-20:00", limits=TEN_A_DAY, used_today=10), Closed(Reason.WINDOW_CLOSED, LATER)),
        (server(limits=TEN_A_DAY, used_today=9), Open()),
        (server(limits=TEN_A_DAY, used_today=10), Closed(Reason.DAILY_LIMIT, MIDNIGHT)),
        (server(limits=TEN_A_DAY, used_today=12), Closed(Reason.DAILY_LIMIT, MIDNIGHT)),
        (server(used_today=10**9), Open()),
        (server(limits=FIVE_AN_HOUR, in_window=4), Open()),
        (server(limits=FIVE_AN_HOUR, in_window=5, rolling_frees=LATER),
         Closed(Reason.ROLLING_LIMIT, LATER)),
    ],
)  # fmt: skip
def test_a_server_is_closed_for_the_first_reason_that_holds(
    state: ServerState, answer: Open | Closed
) -> None:
    assert availability(state, NOW) == answer


@pytest.mark.parametrize(
    ("sending", "reason"),
    [
        (SendingState(queue_paused=True, has_processor=False), Reason.QUEUE_PAUSED),
        (SendingState(has_processor=False), Reason.NO_PROCESSOR),
        (SendingState(is_clock_trusted=False), Reason.CLOCK_NOT_TRUSTED),
        (SendingState(failing_job="planner", works=False), Reason.JOB_FAILING),
    ],
)
def test_what_holds_all_servers_closes_each_of_them(sending: SendingState, reason: Reason) -> None:
    answer = availability(server("13:00-20:00"), NOW, sending)
    assert isinstance(answer, Closed)
    assert answer.reason is reason
    still_its_own = availability(server(enabled=False), NOW, sending)
    assert still_its_own == Closed(Reason.DISABLED)


def test_a_server_of_its_own_window_is_open_in_the_policys_time_zone() -> None:
    berlin = server("08:00-20:00", SendingPolicy(timezone="Europe/Berlin"))
    assert availability(berlin, NOW.replace(hour=0)) == Closed(Reason.WINDOW_CLOSED, NOW.replace(hour=7))


def test_what_is_said_of_a_closed_server() -> None:
    assert str(Closed(Reason.SUSPENDED, LATER, "421 no")) == "suspended: 421 no until 2026-03-04T13:00:00Z"
    assert str(Closed(Reason.WINDOW_CLOSED)) == "its sending window never opens"
    assert str(Closed(Reason.WINDOW_CLOSED, LATER)) == "sending window closed until 2026-03-04T13:00:00Z"


def test_a_server_is_usable_from_the_end_of_its_suspension() -> None:
    assert usable_from(True, None, NOW) == NOW
    assert usable_from(True, SUSPENSION, NOW) == LATER
    assert usable_from(True, SUSPENSION, LATER) == LATER
    assert usable_from(True, Suspension("by hand", None), NOW) is None
    assert usable_from(False, None, NOW) is None


windows = st.sampled_from([None, "08:00-20:00", "22:00-06:00", "09:00-12:00,13:00-17:30", "00:00-24:00"])
instants = st.datetimes(datetime(2026, 3, 1), datetime(2026, 4, 10), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)


@given(
    windows, windows, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.none() | instants, instants, st.integers(1, 4 * 86_400), st.lists(st.floats(0, 1), max_size=20),
)  # fmt: skip
def test_the_open_intervals_are_where_the_answer_is_open(
    own: str | None, policy_window: str | None, timezone: str, until: datetime | None, start: datetime,
    seconds: int, places: list[float],
) -> None:  # fmt: skip
    """What the forecast reckons with is what the processor would be told at that time."""
    policy = SendingPolicy(timezone=timezone, windows=policy_window or "")
    state = server(own, policy, suspension=None if until is None else Suspension("", until))
    end = start + timedelta(seconds=seconds)
    intervals = list(open_intervals(state, start, end))
    assert all(start <= opens < closes <= end for opens, closes in intervals)
    assert all(closes <= opens for (_, closes), (opens, _) in pairwise(intervals))
    for place in places:
        at = start + timedelta(seconds=int(seconds * place * 0.999))
        is_open = any(opens <= at < closes for opens, closes in intervals)
        assert is_open == isinstance(availability(state, at), Open), at
        closed = availability(state, at)
        if isinstance(closed, Closed) and closed.until is not None:
            assert closed.until > at
