"""Which limits let through all that others do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.capacity.capacity import Limits

tighter = st.sampled_from([0, 1, 2, 5])


any_limits = st.builds(
    Limits, tighter, st.none() | st.tuples(st.integers(1, 4), st.sampled_from([1.0, 4.0, 9.0]))
)


@given(any_limits, any_limits, st.lists(st.integers(0, 20), max_size=8))
def test_limits_that_allow_others_let_through_all_that_those_do(
    one: Limits, other: Limits, attempts: list[int]
) -> None:
    if one.allow(other) and lets_through(other, attempts):
        assert lets_through(one, attempts)


def lets_through(limits: Limits, attempts: list[int]) -> bool:
    """All in one day."""
    if limits.daily and len(attempts) > limits.daily:
        return False
    if limits.sliding is None:
        return True
    most, window = limits.sliding
    return all(sum(start <= at < start + window for at in attempts) <= most for start in attempts)


@given(any_limits)
def test_limits_allow_themselves(limits: Limits) -> None:
    assert limits.allow(limits)
    assert Limits().allow(limits)
