"""Delays that double, and the two ways of giving up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.delivery.about import About
from domain.delivery.reply import Verdict
from domain.delivery.retry import after_refusal, next_attempt_at, suspend_until
from domain.policy import SendingPolicy

POLICY = SendingPolicy()


def test_delays_double_from_a_minute_to_four_hours() -> None:
    delays = [next_attempt_at(attempts, 0, 0, POLICY, jitter=0) for attempts in range(1, 10)]
    assert delays == [60, 120, 240, 480, 960, 1920, 3840, 7680, 14_400]


def test_what_is_refused_for_good_has_failed_and_what_is_not_is_tried_again() -> None:
    for_good, for_now = Verdict(About.RECIPIENT, transient=False), Verdict(About.RECIPIENT, transient=True)
    assert after_refusal(for_good, 1, 0, 0, POLICY, jitter=0) is None
    assert after_refusal(for_now, 1, 0, 0, POLICY, jitter=0) == 60
    assert after_refusal(for_now, 10, 0, 0, POLICY, jitter=0) is None


def test_after_ten_attempts_it_gives_up() -> None:
    assert next_attempt_at(9, 0, 0, POLICY, jitter=0) is not None
    assert next_attempt_at(10, 0, 0, POLICY, jitter=0) is None


def test_within_the_72_hours_there_is_a_last_try_and_after_them_none() -> None:
    deadline = 72 * 3600.0
    assert next_attempt_at(9, 0, deadline - 100, POLICY, jitter=0) == deadline
    assert next_attempt_at(9, 0, deadline, POLICY, jitter=0) is None


@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True), st.floats(0, 1e9))
def test_jitter_shortens_a_delay_by_a_quarter_at_most(attempts: int, jitter: float, now: float) -> None:
    longest = next_attempt_at(attempts, now, now, POLICY, jitter=0)
    again = next_attempt_at(attempts, now, now, POLICY, jitter)
    assert longest is not None
    assert again is not None
    assert (longest - now) * 0.75 <= again - now + 1e-6 <= longest - now + 2e-6


def test_a_huge_number_of_attempts_is_only_capped() -> None:
    policy = SendingPolicy(retry_attempts=100_000)
    assert next_attempt_at(99_999, 0, 0, policy, jitter=0) == 14_400


def test_a_server_is_suspended_longer_each_time_up_to_the_most() -> None:
    suspensions = [suspend_until(times, 0, POLICY, jitter=0) for times in range(1, 9)]
    assert suspensions == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert suspend_until(1, 100, POLICY, jitter=0.5) == pytest.approx(100 + 52.5)


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True), st.integers(60, 7 * 86_400))
def test_a_server_is_suspended_no_longer_than_the_policy_says_whatever_it_said(
    times: int, jitter: float, longest: int
) -> None:
    policy = SendingPolicy(max_suspension=longest)
    for_a_permanent_no = suspend_until(times, 1000, policy, jitter, is_permanent=True)
    assert for_a_permanent_no == 1000 + longest
    assert 1000 < suspend_until(times, 1000, policy, jitter) <= for_a_permanent_no
