"""What can be done by hand with a delivery follows from what may follow in its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.campaign.state import State
from domain.delivery.delivery import Status, may_follow
from domain.delivery.stepping_in import FACT_OF, Action, hindrance, possible_in

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ACTIONS: tuple[Action, ...] = get_args(Action)


@given(st.sampled_from(ACTIONS), st.sampled_from(Status), st.sampled_from(State))
def test_what_is_not_hindered_can_follow(action: Action, status: Status, campaign_state: State) -> None:
    if not hindrance(action, status, campaign_state, NOON, NOON):
        assert may_follow(status, FACT_OF[action])


@pytest.mark.parametrize(
    ("action", "states"),
    [
        ("cancel", {Status.QUEUED}),
        ("retry", {Status.FAILED, Status.CANCELLED, Status.SUPPRESSED, Status.UNKNOWN}),
        ("send_now", {Status.QUEUED}),
    ],
)
def test_each_action_has_its_states(action: Action, states: set[Status]) -> None:
    assert possible_in(action) == states


def test_nothing_of_a_cancelled_campaign_is_put_back() -> None:
    assert "campaign is cancelled" in hindrance("retry", Status.FAILED, State.CANCELLED, NOON, NOON)
    assert hindrance("cancel", Status.QUEUED, State.CANCELLED, NOON, NOON) == ""


def test_only_what_waits_for_another_try_is_sent_now() -> None:
    later = NOON + timedelta(minutes=5)
    assert hindrance("send_now", Status.QUEUED, State.RUNNING, later, NOON) == ""
    assert "as soon as a server has capacity" in hindrance(
        "send_now", Status.QUEUED, State.RUNNING, NOON, NOON
    )
    assert "this one is sent" in hindrance("send_now", Status.SENT, State.RUNNING, later, NOON)
