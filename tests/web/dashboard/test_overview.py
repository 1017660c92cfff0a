"""What the dashboard says, for a given model."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.dashboard.model import CampaignStanding, share
from application.dashboard.paces import Paces
from application.dashboard.throughput import Interval
from domain.campaign.state import State
from domain.delivery.waiting import NEXT_IN_LINE, Waiting
from domain.server.availability import Closed, Reason
from tests.web.dashboard.dashboard_models import model, server
from tests.web.world import NOON
from web.pages.dashboard.chart import THINNEST, chart, round_up, stacked
from web.pages.dashboard.overview import overview
from web.pages.words import span

CSS = Path(__file__).parents[3] / "web" / "static" / "base.css"


def test_while_it_sends_the_headline_tells_pace_and_end() -> None:
    shown = overview(model({"queued": 600, "sending": 3}, server(), rate=60)).headline
    assert shown.text == "Sending 60 e-mails per minute"
    assert shown.finish == NOON + timedelta(minutes=10)


def test_no_end_is_promised_that_todays_capacity_does_not_allow() -> None:
    assert overview(model({"queued": 600}, server(used=500), rate=60)).headline.finish is None
    assert overview(model({"queued": 600}, server(limit=0), rate=60)).headline.finish is not None


def test_no_end_is_promised_while_no_server_takes_any() -> None:
    full = server(closed=Closed(Reason.DAILY_LIMIT, NOON + timedelta(hours=12)))
    assert overview(model({"queued": 5}, full, rate=60)).headline.finish is None


def test_while_it_waits_the_headline_tells_why_and_until_when() -> None:
    until = NOON + timedelta(hours=8)
    shown = overview(model({"queued": 5}, oldest=Waiting(Reason.CALENDAR, until))).headline
    assert shown.text == "5 e-mails queued: outside the sending window"
    assert (shown.until_text, shown.until) == ("Until", until)


def test_when_nothing_waits_the_headline_says_so() -> None:
    assert overview(model({"sent": 7})).headline.text == "Nothing to send"
    assert "about to be sent" in overview(model({"queued": 5}, oldest=NEXT_IN_LINE)).headline.text


def test_what_is_left_today_leaves_out_servers_without_a_limit() -> None:
    today = overview(model({}, server(used=900), server(limit=0, used=70))).capacity
    assert (today.left_text, today.used, today.limit, today.unlimited) == ("100", 900, 1000, 1)
    assert overview(model({}, server(limit=0))).capacity.left_text == "no limit"


def test_a_campaign_that_runs_tells_its_pace_and_end() -> None:
    reading = CampaignStanding(
        number=1, name="Spring letter", state=State.RUNNING, counts={"queued": 50, "sent": 150}, rate=25
    )
    (row,) = overview(model({"queued": 50}, server(), campaigns=[reading])).campaigns
    assert (row.done_percent, row.rate, row.finish) == (75, 25, NOON + timedelta(minutes=2))


def test_the_steps_vanish_once_a_campaign_was_started() -> None:
    draft = CampaignStanding(number=1, name="x", state=State.DRAFT, counts={})
    assert [step.done for step in overview(model({}, server(), campaigns=[draft])).steps] == [
        True, True, True, False,
    ]  # fmt: skip
    assert overview(model({"queued": 1}, server(), campaigns=[draft])).steps == []


def test_pace_needs_a_while_and_forgets() -> None:
    pace = Paces()
    assert pace.rate(1, NOON, 0) == 0
    assert pace.rate(1, NOON + timedelta(seconds=10), 20) == 120
    assert pace.rate(1, NOON + timedelta(seconds=75), 20) == 0
    assert pace.rate(2, NOON, 500) == 0


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "–"), (0, 9, "0 %"), (9, 9, "100 %"), (1, 3, "33.3 %"), (1, 9999, "< 0.1 %"),
     (9999, 10000, "> 99.9 %"), (1, 2, "50 %"), (998, 1000, "99.8 %")],
)  # fmt: skip
def test_shares_never_round_to_nothing_or_all(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(60, "a minute"), (90, "90 seconds"), (3600, "an hour"), (172800, "2 days")]
)
def test_spans_are_said_in_their_largest_unit(seconds: int, said: str) -> None:
    assert span(seconds) == said


@given(st.lists(st.integers(0, 10**7), max_size=7))
def test_bars_are_never_overfull_and_hide_nothing(parts: list[int]) -> None:
    segments = stacked([(str(n), part) for n, part in enumerate(parts)], sum(parts))
    assert len(segments) == sum(part > 0 for part in parts)
    assert sum(segment.width for segment in segments) <= 100.01
    assert all(segment.width > THINNEST / 2 for segment in segments)


@given(st.integers(0, 10**9))
def test_the_scale_holds_the_peak_and_halves_evenly(peak: int) -> None:
    top = round_up(peak)
    assert peak <= top <= max(4, peak * 1.5)
    assert top % 2 == 0


def test_bars_of_the_chart_stand_on_the_floor() -> None:
    drawn = chart([Interval(NOON, 3, 1, 0), Interval(NOON, 0, 0, 0)], "minute")
    first, second = drawn.bars
    assert first.pieces[0].y + first.pieces[0].height == 100
    assert first.pieces[1].y == 0
    assert second.pieces == []


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, 1.4.3."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


PAIRS = [
    *[(text, ground) for text in ("ink", "muted") for ground in ("paper", "card")],
    ("ink", "code"),
    *[(f"{tone}-ink", f"{tone}-wash") for tone in ("good", "note", "warn", "bad", "calm")],
    ("bad-ink", "card"),
]


@pytest.mark.parametrize(("text", "ground"), PAIRS)
@pytest.mark.parametrize("theme", [0, 1])
def test_text_stands_out_enough(text: str, ground: str, theme: int) -> None:
    tokens = dict(re.findall(r"--([a-z-]+): light-dark\(([^()]+)\)", CSS.read_text(encoding="utf-8")))
    colours = [tokens[name].split(", ")[theme] for name in (text, ground)]
    assert contrast(*colours) >= 4.5
