"""The log page: events as they are, newest first."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from domain.streams import delivery_stream
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.reading import seen
from tests.web.world import NOON, World
from web.pages.log import log


def positions(page: str) -> list[int]:
    return [
        int(text.replace(",", "")) for text in re.findall(r'class="position small muted">([\d,]+)<', page)
    ]


def topics(page: str) -> list[str]:
    return re.findall(r'class="pill [a-z]*">([^<]+)<', page)


@pytest.fixture
def campaign(world: World) -> int:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(3)
    world.queued(campaign, people)
    world.clock.advance_to(NOON + timedelta(hours=1))
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[1], server)
    world.application.pause(campaign, reason="typo", by="user:ada")
    return campaign


def test_nothing_has_happened_yet(person: Browser) -> None:
    assert "No events yet" in seen(person.get("/log").text)


def test_events_are_told_newest_first_with_what_they_are_about(person: Browser, campaign: int) -> None:
    page = person.get("/log").text
    assert positions(page) == sorted(positions(page), reverse=True)
    text = seen(page)
    assert "Campaign paused typo" in text
    assert "alpha accepted it 250 2.0.0 Ok: queued as 4F1" in text
    assert f'href="/queue/{campaign << 32 | 1}"' in page
    assert f'href="/campaigns/{campaign}"' in page
    assert 'href="/servers/1"' in page


def test_the_newest_position_and_hash_are_shown(person: Browser, pool: Pool, campaign: int) -> None:
    with pool.transaction() as cursor:
        cursor.execute("SELECT position, encode(hash, 'hex') FROM log_head")
        position, digest = cursor.fetchone()
    text = seen(person.get("/log").text)
    assert f"Newest position {position}" in text
    assert digest in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("topic=delivery.", ["delivery.failed", "delivery.attempt_started", "delivery.accepted",
                             "delivery.attempt_started"]),
        ("topic=delivery.f", ["delivery.failed"]),
        ("by=user:", ["campaign.paused"]),
        ("campaign=1&by=user:ada", ["campaign.paused"]),
        ("campaign=2", []),
        (f"stream={delivery_stream(1, 1)}", ["delivery.accepted", "delivery.attempt_started"]),
        (f"stream={delivery_stream(1, 1)}&topic=delivery.accepted&by=test", ["delivery.accepted"]),
        ("until=2026-03-04T12:30&topic=campaign.", ["campaign.queueing_finished", "campaign.started",
                                                    "campaign.created"]),
        ("since=2026-03-04T12:30&topic=campaign.", ["campaign.paused"]),
        ("since=2026-03-04T15:00", []),
        ("until=2026-03-03T15:00", []),
    ],
)  # fmt: skip
def test_filters_find_what_they_say(person: Browser, campaign: int, query: str, found: list[str]) -> None:
    page = person.get(f"/log?{query}").text
    assert topics(page) == found
    assert found or "No matching events" in seen(page)


def test_times_are_those_of_the_settings(person: Browser, world: World, campaign: int) -> None:
    world.application.change_policy({"timezone": "Europe/Berlin"}, by="test")
    assert topics(person.get("/log?until=2026-03-04T13:30&topic=campaign.s").text) == ["campaign.started"]
    assert topics(person.get("/log?until=2026-03-04T12:30&topic=campaign.s").text) == []


def test_older_ones_are_a_link_away(person: Browser, campaign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "PER_PAGE", 4)
    seen_positions, path = [], "/log"
    for _ in range(10):
        page = person.get(path).text
        seen_positions += positions(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        if older is None:
            break
        path = older[1].replace("&amp;", "&")
    assert seen_positions == list(range(max(seen_positions), 0, -1))
    assert "Newest" in seen(person.get(path).text)


def test_a_search_that_stops_says_so_and_goes_on(
    person: Browser, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LOOK_AT", 5)
    page = person.get("/log?topic=server.").text
    assert "No matches among the 5 events down to position" in seen(page)
    path, found = "/log?topic=server.", []
    while older := re.search(r'rel="next" href="([^"]+)"', page):
        path = older[1].replace("&amp;", "&")
        page = person.get(path).text
        found += topics(page)
    assert found == ["server.added"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("campaign=x", "A whole number is expected."),
        ("campaign=0", "A whole number is expected."),
        ("stream=7", "A UUID is expected."),
        ("since=yesterday", "A date and time such as"),
        ("until=9999-99-99", "A date and time such as"),
    ],
)
def test_a_filter_that_makes_no_sense_says_so_beside_the_field(
    person: Browser, campaign: int, query: str, said: str
) -> None:
    answer = person.get(f"/log?{query}")
    assert said in seen(answer.text)
    assert topics(answer.text) == []


def test_text_that_no_log_holds_finds_nothing(person: Browser, campaign: int) -> None:
    for query in ("topic=%25", "by=%F0%28%8C%28", "before=x"):
        assert person.get(f"/log?{query}").status_code == 200
    assert topics(person.get("/log?topic=%25").text) == []
