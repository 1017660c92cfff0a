"""What a delivery waited for, told from the log alone, years later too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from application.queue import waits
from domain.delivery.delivery import Requeued
from tests.web.world import NOON, World


def story(client: FlaskClient, campaign: int, recipient: int) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/deliveries/{campaign << 32 | recipient}").get_json()["data"]
    return found


def waited(client: FlaskClient, campaign: int, recipient: int) -> list[str]:
    return [
        f"{_after_noon(wait['since'])}-{_after_noon(wait['until'])} {wait['code']}"
        for wait in story(client, campaign, recipient)["waits"]
    ]


def _after_noon(instant: str) -> str:
    """In minutes."""
    at = datetime.fromisoformat(instant).astimezone(UTC)
    return f"{(at - NOON) / timedelta(minutes=1):g}"


def later(world: World, minutes: float) -> datetime:
    world.clock.advance_to(NOON + timedelta(minutes=minutes))
    return world.clock.now()


def test_each_reason_is_told_with_its_time(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha", daily_limit=3), world.campaign(), world.people(3)
    world.application.change_policy({"windows": "12:10-12:50"}, by="test")
    world.queued(campaign, people)
    later(world, 20)
    world.application.pause(campaign, reason="typo", by="user:ada")
    later(world, 25)
    world.application.resume(campaign, by="user:ada")
    world.application.suspend_server(
        server, reason="421", until=NOON + timedelta(minutes=30), by="processor:1"
    )
    later(world, 31)
    world.accepted(campaign, people[0], server)
    world.reserve(server, 2)
    later(world, 26 * 60)
    one = people[1]
    assert waited(client, campaign, one) == [
        "0-10 calendar",
        "10-20 no_processor",
        "20-25 campaign_paused",
        "25-30 suspended",
        "30-31 no_processor",
        "31-50 daily_limit",
        "50-1450 calendar",
        "1450-1490 no_processor",
        "1490-1560 calendar",
    ]
    assert waited(client, campaign, people[0])[-1] == "30-31 no_processor"


def test_a_retry_is_waited_for_and_then_the_queue(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.deferred(campaign, people[0], server, NOON + timedelta(minutes=5))
    later(world, 1)
    world.application.change_policy({"queue_paused": True}, by="test")
    later(world, 3)
    world.application.change_policy({"queue_paused": False}, by="test")
    later(world, 5)
    world.accepted(campaign, people[0], server)
    assert waited(client, campaign, people[0]) == ["0-1 retry", "1-3 queue_paused", "3-5 retry"]
    assert story(client, campaign, people[0])["waitsKnownUntil"] is None


def test_campaigns_of_higher_priority_go_first(client: FlaskClient, world: World) -> None:
    server, people = world.server("alpha"), world.people(30)
    campaign, urgent = world.campaign("Letter"), world.campaign("Alarm", priority="high")
    world.queued(campaign, people)
    world.queued(urgent, people)
    for number, one in enumerate(people):
        later(world, number / 10)
        world.accepted(urgent, one, server)
    later(world, 3)
    world.accepted(campaign, people[0], server)
    assert waited(client, campaign, people[0]) == ["0-2.9 priority", "2.9-3 next_in_line"]


def test_what_is_put_back_waits_anew(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.failed(campaign, people[0], server)
    later(world, 60)
    world.application.disable_server(server, by="test")
    world.tell(campaign, people[0], Requeued, reason="asked for")
    later(world, 61)
    assert waited(client, campaign, people[0]) == ["60-61 disabled"]
    world.application.cancel(campaign, by="test")
    later(world, 70)
    assert waited(client, campaign, people[0]) == ["60-61 disabled"]


def test_where_too_much_happened_it_says_until_when_it_knows(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, campaign, people = world.server("alpha", daily_limit=1000), world.campaign(), world.people(1)
    world.queued(campaign, people)
    monkeypatch.setattr(waits, "MOST_RESERVATIONS", 3)
    for minute in range(1, 6):
        later(world, minute)
        world.reserve(server, 1)
    later(world, 7)
    told = story(client, campaign, people[0])
    assert _after_noon(told["waitsKnownUntil"]) == "3"
    assert _after_noon(told["waits"][-1]["until"]) == "3"
    assert told["waitsNotTold"] == (
        "Too much happened meanwhile to tell what it waited for after 2026-03-04T12:03:00.000Z."
    )


def test_where_too_much_happened_before_it_says_that_nothing_can_be_told(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, campaign, people = world.server("alpha", daily_limit=1000), world.campaign(), world.people(1)
    for minute in range(1, 4):
        later(world, minute)
        world.reserve(server, 1)
    later(world, 5)
    world.queued(campaign, people)
    monkeypatch.setattr(waits, "MOST_SUMMED_UP", 2)
    later(world, 7)
    told = story(client, campaign, people[0])
    assert told["waits"] == []
    assert _after_noon(told["waitsKnownUntil"]) == "5"
    assert told["waitsNotTold"] == "Too much happened meanwhile to tell what it waited for."


def test_what_is_not_told_is_said_only_where_something_is_not(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha", daily_limit=1000), world.campaign(), world.people(1)
    world.reserve(server, 1)
    world.queued(campaign, people)
    later(world, 1)
    told = story(client, campaign, people[0])
    assert told["waits"]
    assert (told["waitsKnownUntil"], told["waitsNotTold"]) == (None, None)


def test_what_ten_busy_servers_did_the_day_before_takes_nothing_from_what_is_told(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = {"daily_limit": 2000, "sliding_window": True, "sliding_window_rate": 10}
    servers = [world.server(f"s{n}", **busy, sliding_window_duration=60) for n in range(1, 11)]
    campaign, people = world.campaign(), world.people(1)
    for minute in range(10):
        later(world, minute)
        for server in servers:
            world.reserve(server, 10)
    world.queued(campaign, people)
    later(world, 20)
    monkeypatch.setattr(waits, "MOST_RESERVATIONS", 50)
    assert waited(client, campaign, people[0]) == ["9-10.1667 rolling_limit", "10.1667-20 no_processor"]
    assert story(client, campaign, people[0])["waitsKnownUntil"] is None
