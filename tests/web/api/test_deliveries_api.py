"""Deliveries, their stories, and stepping into many at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from domain.streams import server_stream
from tests.web.world import NOON, World


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.json
    return answer.json["data"]


def followed(client: FlaskClient, query: str) -> list[tuple[int, int]]:
    found, cursor = [], ""
    while True:
        page = data(client, f"/api/deliveries?{query}&cursor={cursor}")
        found += [(item["campaignId"], item["subscriberId"]) for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


def test_every_delivery_comes_once_in_order(client: FlaskClient, world: World) -> None:
    server, people = world.server("alpha"), world.people(7)
    campaigns = [world.campaign("First"), world.campaign("Second")]
    for campaign in campaigns:
        world.queued(campaign, people)
        world.accepted(campaign, people[3], server)
    world.shown()
    everything = [(campaign, person) for campaign in campaigns for person in people]
    for limit in (1, 3, 7, 500):
        assert followed(client, f"limit={limit}") == everything


def test_nothing_is_left_out_when_things_change_between_pages(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(4)
    world.queued(campaign, people)
    first = data(client, "/api/deliveries?limit=2")
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[3], server)
    world.shown()
    second = data(client, f"/api/deliveries?limit=2&cursor={first['next']}")
    assert [item["subscriberId"] for item in first["items"] + second["items"]] == people
    assert second["next"] is None


def test_filters_choose_deliveries(client: FlaskClient, world: World) -> None:
    alpha, bravo, people = world.server("alpha"), world.server("bravo"), world.people(5)
    first, second = world.campaign("First"), world.campaign("Second")
    world.queued(first, people)
    world.queued(second, people)
    world.accepted(first, people[0], alpha)
    world.failed(second, people[1], bravo)
    world.application.cancel(second, by="test")
    world.shown()
    assert followed(client, "status=sent") == [(first, people[0])]
    assert followed(client, f"smtp_server_uuid={server_stream(bravo)}") == [(second, people[1])]
    assert followed(client, "status=cancelled") == [(second, person) for person in people if person != 2]
    assert followed(client, f"status=queued&campaign_id={second}") == []
    assert followed(client, "subscriber=p3@example.org") == [(first, people[2]), (second, people[2])]
    assert followed(client, "status=sent,failed&limit=1") == [(first, people[0]), (second, people[1])]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "LTEuLTE", "OTk5OTk5OTk5OTk5OTkuMQ", "MS4y!"])
def test_a_cursor_that_nobody_gave_is_refused(client: FlaskClient, cursor: str) -> None:
    answer = client.get(f"/api/deliveries?cursor={cursor}")
    assert answer.status_code == 400
    assert answer.json["message"].startswith("cursor: ")


def test_a_story_is_the_events_of_the_delivery(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(2)
    world.queued(campaign, people)
    world.deferred(campaign, people[0], server, NOON + timedelta(minutes=5))
    world.accepted(campaign, people[0], server)
    story = data(client, f"/api/deliveries/{(campaign << 32) + people[0]}")
    assert (story["status"], story["subscriberEmail"]) == ("sent", "p1@example.org")
    assert [event["type"].split(".")[3] for event in story["events"]] == [
        "attempt_started", "deferred", "attempt_started", "accepted",
    ]  # fmt: skip
    assert data(client, f"/api/deliveries/{(campaign << 32) + people[1]}")["events"] == []
    assert client.get("/api/deliveries/5").status_code == 404


def post(client: FlaskClient, action: str, code: int = 200, **body: Any) -> Any:
    answer = client.post(f"/api/queue/{action}", json=body)
    assert answer.status_code == code, answer.json
    return answer.json["data"] if code == 200 else answer.json


def test_all_that_match_are_cancelled_and_taken_up_again(client: FlaskClient, world: World) -> None:
    server, people = world.server("alpha"), world.people(6)
    first, second = world.campaign("First"), world.campaign("Second")
    world.queued(first, people)
    world.queued(second, people)
    world.failed(first, people[0], server)
    assert post(client, "cancel", campaign_id=first, reason="wrong link") == {"changed": 5, "left": 0}
    assert data(client, "/api/queue/stats")["cancelled"] == 5
    assert post(client, "retry", campaign_id=first, status=["failed"]) == {"changed": 1, "left": 0}
    assert post(client, "retry", subscriber="p2@example.org") == {"changed": 1, "left": 0}
    assert data(client, "/api/queue/stats")["queued"] == 8
    story = data(client, f"/api/deliveries/{(first << 32) + people[1]}")["events"]
    assert [event["data"]["reason"] for event in story] == ["wrong link", "asked for"]


def test_that_all_are_meant_has_to_be_said(client: FlaskClient, world: World) -> None:
    world.queued(world.campaign(), world.people(2))
    for body in ({}, {"all": False}, {"all": True, "campaign_id": 1}):
        assert post(client, "cancel", 400, **body)["errors"][0]["pointer"] == "/all"
    assert post(client, "cancel", all=True) == {"changed": 2, "left": 0}


def test_what_waits_for_another_try_is_sent_now(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(3)
    world.queued(campaign, people)
    for person in people[:2]:
        world.deferred(campaign, person, server, NOON + timedelta(hours=1))
    item = f"/api/queue/{(campaign << 32) + people[0]}/send-now"
    assert client.put(item).json["data"]["waitingCode"] == "next_in_line"
    assert client.put(item).status_code == 409
    assert post(client, "send-all", all=True) == {"changed": 1, "left": 0}
    waiting = {item["waitingCode"] for item in data(client, "/api/queue/items")["results"]}
    assert waiting == {"next_in_line"}


def test_the_whole_queue_is_paused_and_resumed(client: FlaskClient, world: World) -> None:
    world.server("alpha")
    world.queued(world.campaign(), world.people(1))
    answer = client.put("/api/queue/pause", json={"paused": True})
    assert (answer.status_code, answer.json["data"]) == (200, {"paused": True})
    assert data(client, "/api/queue/items")["results"][0]["waitingCode"] == "queue_paused"
    assert "Resume it first" in post(client, "send-all", 409, all=True)["message"]
    late = client.put("/api/queue/pause", json={"paused": False}, headers={"If-Match": '"0"'})
    assert (late.status_code, late.json["version"]) == (412, 1)
    assert client.put("/api/queue/pause", json={"paused": False}).json["data"] == {"paused": False}
    assert data(client, "/api/queue/items")["results"][0]["waitingCode"] == "next_in_line"
    assert client.put("/api/queue/pause", json={"paused": 1}).status_code == 400
