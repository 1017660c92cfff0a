"""Why e-mails wait and servers take none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.delivery.waiting import NEXT_IN_LINE, CampaignState, Gate, Load, Waiting, why_closed, why_it_waits

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OPEN = Gate(server=1, name="alpha", closed=None)
FULL = Gate(server=2, name="bravo", closed=Waiting("daily_limit", "daily limit reached", LATER))
OFF = Gate(server=3, name="charlie", closed=Waiting("disabled", "disabled"))


def why(state: str = "running", *gates: Gate, **others: Any) -> Waiting:
    known = {"again": None, "opens": NOW, "gates": gates or (OPEN,), **others}
    messenger = known.pop("messenger", None)
    campaign = CampaignState(state=state, messenger=messenger, send_at=LATER, reason="typo")
    return why_it_waits(campaign, now=NOW, **known)


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (why(), "next in line"),
        (why("finished"), "next in line"),
        (why("draft"), "the campaign has not been started"),
        (why("scheduled"), "the campaign starts at 2026-03-04T13:00:00Z"),
        (why("paused"), "the campaign is paused: typo"),
        (why("cancelled"), "the campaign is cancelled: typo"),
        (why(queue_paused=True, again=LATER), "the queue is paused"),
        (why("paused", queue_paused=True), "the campaign is paused: typo"),
        (why(again=LATER), "retry at 2026-03-04T13:00:00Z"),
        (why(again=NOW), "next in line"),
        (why(opens=LATER), "outside the sending window until 2026-03-04T13:00:00Z"),
        (why(opens=None), "the sending calendar has no open window"),
        (why("running", FULL, OPEN), "next in line"),
        (why("running", FULL), "server bravo: daily limit reached until 2026-03-04T13:00:00Z"),
        (why("running", FULL, OFF), "no server has capacity before 2026-03-04T13:00:00Z"),
        (why("running", OFF, OFF), "no server can send: all are disabled or suspended"),
        (why("running", OPEN, FULL, messenger=2),
         "server bravo: daily limit reached until 2026-03-04T13:00:00Z"),
        (why("running", OPEN, messenger=9), "no SMTP server is set up for it"),
        (why(gates=[]), "no SMTP server is set up for it"),
    ],
)  # fmt: skip
def test_an_email_waits_for_the_first_thing_that_holds_it(waiting: Waiting, said: str) -> None:
    assert str(waiting) == said


def closed(**load: Any) -> str | None:
    reason = why_closed(Load(**{"enabled": True, "opens": NOW, "day_ends": LATER, **load}), NOW)
    return None if reason is None else str(reason)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (closed(), None),
        (closed(enabled=False, suspended="x"), "disabled"),
        (closed(suspended="421 no"), "suspended: 421 no"),
        (closed(suspended="421 no", suspended_until=LATER), "suspended: 421 no until 2026-03-04T13:00:00Z"),
        (closed(suspended="421 no", suspended_until=NOW), None),
        (closed(opens=LATER), "sending window closed until 2026-03-04T13:00:00Z"),
        (closed(opens=None), "its sending window never opens"),
        (closed(daily_limit=5, daily_used=4), None),
        (closed(daily_limit=5, daily_used=5), "daily limit reached until 2026-03-04T13:00:00Z"),
        (closed(daily_limit=0, daily_used=5), None),
        (closed(rolling_limit=5, rolling_used=5, rolling_frees=LATER),
         "rolling limit reached until 2026-03-04T13:00:00Z"),
        (closed(rolling_limit=5, rolling_used=4), None),
    ],
)  # fmt: skip
def test_a_server_is_closed_for_the_first_reason_that_holds(reason: str | None, said: str | None) -> None:
    assert reason == said


def test_a_time_that_nobody_knows_is_not_told() -> None:
    assert str(NEXT_IN_LINE) == "next in line"
    assert NEXT_IN_LINE.until is None
