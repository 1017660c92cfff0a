"""Token buckets that all processes share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.accounts import rate_limits
from storage.accounts.rate_limits import Rate, take
from storage.postgres.pool import Pool

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
RATE = Rate(burst=3, per_second=0.5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses=st.lists(st.integers(0, 5000), max_size=40), name=st.uuids())
def test_no_stretch_of_time_grants_more_than_burst_and_rate(
    pool: Pool, pauses: list[int], name: object
) -> None:
    at, granted = NOON, list[datetime]()
    with pool.transaction() as cursor:
        for pause in pauses:
            at += timedelta(milliseconds=pause)
            if take(cursor, str(name), RATE, at) == 0:
                granted.append(at)
    for first, begin in enumerate(granted):
        for last, end in enumerate(granted[first:], start=first):
            assert last - first + 1 <= RATE.burst + (end - begin).total_seconds() * RATE.per_second + 1e-6


@pytest.mark.parametrize("used", [3, 4, 10])
def test_whoever_waits_as_long_as_told_gets_one(pool: Pool, used: int) -> None:
    with pool.transaction() as cursor:
        waits = [take(cursor, "x", RATE, NOON) for _ in range(used)]
        assert waits == [0.0] * 3 + [2.0] * (used - 3)
        assert take(cursor, "x", RATE, NOON + timedelta(seconds=1.9)) > 0
        assert take(cursor, "x", RATE, NOON + timedelta(seconds=2)) == 0


def test_a_clock_that_goes_back_grants_nothing(pool: Pool) -> None:
    with pool.transaction() as cursor:
        assert [take(cursor, "x", RATE, NOON) for _ in range(3)] == [0, 0, 0]
        assert take(cursor, "x", RATE, NOON - timedelta(hours=1)) > 0
        assert take(cursor, "x", RATE, NOON) > 0


def test_buckets_are_apart_and_their_names_are_not_kept(pool: Pool) -> None:
    with pool.transaction() as cursor:
        for _ in range(4):
            take(cursor, "sign-in hunter2 127.0.0.1", RATE, NOON)
        assert take(cursor, "other", RATE, NOON) == 0
        cursor.execute("SELECT string_agg(t::text, ' ') FROM rate_limits t")
        assert "hunter2" not in cursor.fetchone()[0]


def test_full_buckets_are_forgotten(pool: Pool) -> None:
    with pool.transaction() as cursor:
        take(cursor, "old", RATE, NOON)
        take(cursor, "new", RATE, NOON + timedelta(days=1))
        rate_limits.forget(cursor, NOON + timedelta(days=1, seconds=1))
        cursor.execute("SELECT count(*) FROM rate_limits")
        assert cursor.fetchone() == (1,)
