from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.delivery.delivery import FACTS, Delivery, Status
from domain.streams import delivery_stream
from projections.following import runner as runner_module
from projections.following.check import check
from projections.following.rebuild import rebuild
from projections.following.runner import Runner
from storage.postgres.pool import Pool
from tests.projections.conftest import Writing
from tests.projections.histories import History
from tests.projections.oracle import Oracle
from tests.projections.random_histories import histories

EVENTS = """
    SELECT version, topic, convert_from(state, 'UTF8')::jsonb, recorded_at FROM events
    WHERE stream_id = %s ORDER BY version
"""


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(history=histories(), cut=st.integers(2, 30))
def test_the_tables_say_what_one_event_after_the_other_says_wherever_the_log_is_cut(
    writing: Writing, monkeypatch: pytest.MonkeyPatch, history: History, cut: int
) -> None:
    oracle = writing.write(history)
    with monkeypatch.context() as patch:
        patch.setattr(runner_module, "LIVE_EVENTS", cut)
        Runner(writing.pool).catch_up()
    assert_shown(writing.pool, oracle)
    assert_as_decided(writing.pool, oracle)
    assert check(writing.pool) == []
    rebuild(writing.pool)
    assert_shown(writing.pool, oracle)


def assert_shown(pool: Pool, oracle: Oracle) -> None:
    with pool.transaction() as cursor:
        assert _queue(cursor, oracle) == {
            key: (d.due, d.queued_at, d.changed_at, d.version, d.server, d.status, d.attempts,
                  d.interruptions, d.first_failed_at, d.error)
            for key, d in oracle.deliveries.items()
        }  # fmt: skip
        assert _queue_counts(cursor, oracle) == Counter(
            (campaign, d.server, d.status) for (campaign, _), d in oracle.deliveries.items()
        )
        _assert_campaigns(cursor, oracle)
        _assert_usage(cursor, oracle)
        _assert_health(cursor, oracle)


def assert_as_decided(pool: Pool, oracle: Oracle) -> None:
    """The set-based fold comes to what the domain makes of each delivery's own events."""
    facts = {fact.TOPIC: fact for fact in FACTS}
    with pool.transaction() as cursor:
        shown = _queue(cursor, oracle)
        for campaign, recipient in oracle.deliveries:
            stream, decided = delivery_stream(campaign, recipient), Delivery()
            cursor.execute(EVENTS, (str(stream),))
            for version, topic, state, at in cursor.fetchall():
                fact = facts[topic](originator_id=stream, originator_version=version, **state)
                decided.apply(fact, at.timestamp())
            _, _, _, version, server, status, *counted, first_failed_at, _ = shown[campaign, recipient]
            first = None if first_failed_at is None else first_failed_at.timestamp()
            assert (version, server or None, status, *counted, first) == (
                decided.version, decided.server, decided.status, decided.attempts, decided.interruptions,
                decided.first_failed_at,
            )  # fmt: skip


def _queue(cursor: Any, oracle: Oracle) -> dict[tuple[int, int], tuple[Any, ...]]:
    cursor.execute(
        "SELECT campaign, recipient, due, queued_at, changed_at, version, server, status, attempts,"
        " interruptions, first_failed_at, error FROM queue WHERE campaign = ANY (%s)",
        (list(oracle.campaigns),),
    )
    return {
        (campaign, recipient): (*before, Status.of(status), *after)
        for campaign, recipient, *before, status, attempts, interruptions, first, error in cursor.fetchall()
        for after in [(attempts, interruptions, first, error)]
    }


def _queue_counts(cursor: Any, oracle: Oracle) -> dict[tuple[int, int, str], int]:
    cursor.execute(
        "SELECT campaign, server, status, n FROM queue_counts WHERE campaign = ANY (%s)",
        (list(oracle.campaigns),),
    )
    return {(campaign, server, Status.of(status)): n for campaign, server, status, n in cursor.fetchall()}


def _assert_campaigns(cursor: Any, oracle: Oracle) -> None:
    shown = Counter((key[0], oracle.shown(key)) for key in oracle.deliveries)
    cursor.execute(
        "SELECT campaign, state, priority, messenger, queueing_finished, ARRAY[queued, sending, sent, failed,"
        " cancelled, unknown, suppressed] FROM queue_campaigns WHERE campaign = ANY (%s)",
        (list(oracle.campaigns),),
    )
    found = {campaign: rest for campaign, *rest in cursor.fetchall()}
    assert found == {
        number: [
            campaign["state"], campaign["priority"], campaign["messenger"], campaign["finished_queueing"],
            [shown[number, status] for status in Status],
        ]
        for number, campaign in oracle.campaigns.items()
    }  # fmt: skip
    cursor.execute(
        "SELECT campaign, state, name, reason FROM campaign_progress WHERE campaign = ANY (%s)",
        (list(oracle.campaigns),),
    )
    assert {campaign: rest for campaign, *rest in cursor.fetchall()} == {
        number: [campaign["state"], campaign["name"], campaign["reason"]]
        for number, campaign in oracle.campaigns.items()
    }


def _assert_usage(cursor: Any, oracle: Oracle) -> None:
    servers = [server for server, _ in oracle.usage]
    cursor.execute(
        "SELECT server, day::text, reserved, unused, refused, attempts, accepted, deferred, failed, unknown"
        " FROM daily_usage WHERE server = ANY (%s)",
        (servers,),
    )
    names = ("reserved", "unused", "refused", "attempts", "accepted", "deferred", "failed", "unknown")
    assert {(server, day): n for server, day, *n in cursor.fetchall()} == {
        key: [counts[name] for name in names] for key, counts in oracle.usage.items()
    }
    cursor.execute(
        "SELECT server, reservation, n, used, unused, refused, day::text, until, returned_at"
        " FROM reservations WHERE server = ANY (%s)",
        (servers,),
    )
    assert {(server, version): rest for server, version, *rest in cursor.fetchall()} == {
        key: [r[name] for name in ("n", "used", "unused", "refused", "day", "until", "returned_at")]
        for key, r in oracle.reservations.items()
    }


def _assert_health(cursor: Any, oracle: Oracle) -> None:
    servers = [server for server, _ in oracle.usage]
    cursor.execute("SELECT * FROM server_health WHERE server = ANY (%s)", (servers,))
    assert {server: rest for server, *rest in cursor.fetchall()} == {
        server: [h["failures"], h["success"], h["error"], h["error_at"]]
        for server, h in oracle.health.items()
    }
    cursor.execute("SELECT * FROM server_hours WHERE server = ANY (%s)", (servers,))
    names = ("attempts", "accepted", "deferred", "failed", "unknown")
    assert {(hour.astimezone(UTC), server): n for hour, server, *n in cursor.fetchall()} == {
        key: [counts[name] for name in names] for key, counts in oracle.hours.items()
    }
