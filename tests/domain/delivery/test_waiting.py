"""Why deliveries wait: the first thing that holds one is what its reader is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.campaign.state import State
from domain.delivery.waiting import (
    NEXT_IN_LINE,
    CampaignState,
    DueCampaign,
    Route,
    Waiting,
    held_by_servers,
    why_it_waits,
)
from domain.server.availability import Closed, Open, Reason, SendingState

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OPEN = Route(server=1, name="alpha", answer=Open())
FULL = Route(server=2, name="bravo", answer=Closed(Reason.DAILY_LIMIT, LATER))
OFF = Route(server=3, name="charlie", answer=Closed(Reason.DISABLED))
FULL_TOO = Route(server=4, name="delta", answer=Closed(Reason.DAILY_LIMIT, LATER + timedelta(hours=1)))
SUSPENDED = Route(server=5, name="echo", answer=Closed(Reason.SUSPENDED, None, "535 no"))
OPEN_TOO = Route(server=6, name="foxtrot", answer=Open())
URGENT, URGENT_ON_ALPHA = DueCampaign("high"), DueCampaign("high", messenger=1)
PAUSED, ALONE = SendingState(queue_paused=True), SendingState(has_processor=False)

FAILING = SendingState(failing_job="planner", works=False)
ANOTHER_FAILS = SendingState(failing_job="planner")


def why(state: str = "running", *routes: Route, **others: Any) -> Waiting:
    known = {"again": NOW, "opens": NOW, "routes": routes or (OPEN,), **others}
    messenger = known.pop("messenger", None)
    priority = known.pop("priority", "normal")
    campaign = CampaignState(
        state=State(state), messenger=messenger, priority=priority, send_at=LATER, reason="typo"
    )
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
        (why(sending=PAUSED, again=LATER), "the queue is paused"),
        (why("paused", sending=PAUSED), "the campaign is paused: typo"),
        (why(sending=ALONE, opens=LATER), "no processor is running"),
        (why(sending=SendingState(is_clock_trusted=False)), "the sending clock is not trusted"),
        (why(sending=FAILING, opens=LATER), "a job of the processor keeps failing: planner"),
        (why("paused", sending=FAILING), "the campaign is paused: typo"),
        (why(sending=ANOTHER_FAILS), "a job of the processor keeps failing: planner"),
        (why(sending=ANOTHER_FAILS, again=LATER), "retry at 2026-03-04T13:00:00Z"),
        (why(sending=ANOTHER_FAILS, opens=LATER), "outside the sending window until 2026-03-04T13:00:00Z"),
        (why("running", FULL, sending=ANOTHER_FAILS),
         "server bravo: daily limit reached until 2026-03-04T13:00:00Z"),
        (why(sending=ANOTHER_FAILS, due=[URGENT]), "campaigns of higher priority go first"),
        (why(again=LATER), "retry at 2026-03-04T13:00:00Z"),
        (why(again=NOW), "next in line"),
        (why(opens=LATER), "outside the sending window until 2026-03-04T13:00:00Z"),
        (why(opens=None), "the schedule has no open window"),
        (why("running", FULL, OPEN), "next in line"),
        (why("running", FULL), "server bravo: daily limit reached until 2026-03-04T13:00:00Z"),
        (why("running", FULL, FULL_TOO), "all servers: daily limit reached until 2026-03-04T13:00:00Z"),
        (why("running", FULL, OFF), "server bravo: daily limit reached until 2026-03-04T13:00:00Z"),
        (why("running", FULL, SUSPENDED), "no server has capacity before 2026-03-04T13:00:00Z"),
        (why("running", OFF, OFF), "no server can send: all are disabled or suspended"),
        (why("running", OFF, SUSPENDED), "server echo: suspended: 535 no"),
        (why("running", SUSPENDED), "server echo: suspended: 535 no"),
        (why("running", OPEN, FULL, messenger=2),
         "server bravo: daily limit reached until 2026-03-04T13:00:00Z"),
        (why("running", OPEN, messenger=9), "no SMTP server is set up for it"),
        (why(due=[URGENT]), "campaigns of higher priority go first"),
        (why(due=[DueCampaign("normal"), DueCampaign("low")]), "next in line"),
        (why(priority="low", due=[DueCampaign("normal")]), "campaigns of higher priority go first"),
        (why(priority="high", due=[URGENT]), "next in line"),
        (why(again=LATER, due=[URGENT]), "retry at 2026-03-04T13:00:00Z"),
        (why("running", FULL, due=[URGENT]), "server bravo: daily limit reached until 2026-03-04T13:00:00Z"),
        (why("running", OPEN, FULL, due=[URGENT_ON_ALPHA]), "campaigns of higher priority go first"),
        (why("running", OPEN, OPEN_TOO, due=[URGENT_ON_ALPHA]), "next in line"),
        (why("running", OPEN, OPEN_TOO, messenger=6, due=[URGENT_ON_ALPHA]), "next in line"),
        (why("running", OPEN, OPEN_TOO, messenger=1, due=[URGENT_ON_ALPHA]),
         "campaigns of higher priority go first"),
        (why(routes=[]), "no SMTP server is set up for it"),
    ],
)  # fmt: skip
def test_an_email_waits_for_the_first_thing_that_holds_it(waiting: Waiting, said: str) -> None:
    assert str(waiting) == said


def test_a_server_that_is_disabled_hides_no_reason_of_those_that_are_not() -> None:
    assert held_by_servers(None, [OFF, FULL]).reason is Reason.DAILY_LIMIT
    assert str(held_by_servers(None, [OFF, FULL])).startswith("server bravo: ")
    assert held_by_servers(None, [OFF]).reason is Reason.DISABLED


def test_a_time_that_nobody_knows_is_not_told() -> None:
    assert str(NEXT_IN_LINE) == "next in line"
    assert NEXT_IN_LINE.until is None


def test_each_reason_has_its_words() -> None:
    assert all(reason.text() and reason.text(ends=False) for reason in Reason)
