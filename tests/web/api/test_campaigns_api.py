"""Campaigns and servers through the API."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.pages.reading import told
from tests.web.world import World


def put_status(client: FlaskClient, campaign: int, status: str, **others: Any) -> tuple[int, Any]:
    answer = client.put(f"/api/campaigns/{campaign}/status", json={"status": status, **others})
    return answer.status_code, answer.json


def test_a_campaign_goes_through_its_life(client: FlaskClient, world: World) -> None:
    world.people(1)
    campaign = world.campaign()
    later = "2026-03-05T08:00:00+01:00"
    for status, others, becomes in [
        ("scheduled", {"send_at": later}, "scheduled"),
        ("draft", {}, "draft"),
        ("running", {}, "running"),
        ("paused", {"reason": "typo"}, "paused"),
        ("running", {"reason": "mended"}, "running"),
        ("cancelled", {"reason": "moved"}, "cancelled"),
    ]:
        code, answer = put_status(client, campaign, status, **others)
        assert (code, answer["data"]["status"]) == (200, becomes)
    assert (answer["data"]["reason"], answer["data"]["updated_by"]) == ("moved", "local")
    (resumed,) = told(world.pool, "campaign.resumed")
    assert resumed["reason"] == "mended"


def test_a_scheduled_campaign_tells_its_time_in_utc(client: FlaskClient, world: World) -> None:
    world.people(1)
    _, answer = put_status(client, world.campaign(), "scheduled", send_at="2026-03-05T08:00:00+01:00")
    assert answer["data"]["send_at"] == "2026-03-05T07:00:00.000Z"


def test_what_the_state_does_not_allow_is_a_conflict(client: FlaskClient, world: World) -> None:
    campaign = world.campaign()
    code, answer = put_status(client, campaign, "paused")
    assert code == 409
    assert "draft" in answer["message"]
    assert answer["version"] == 1
    assert client.get(f"/api/campaigns/{campaign}").status_code == 404, "the projection has not seen it"
    world.shown()
    assert client.get(f"/api/campaigns/{campaign}").json["data"]["status"] == "draft"


def test_a_conflict_tells_the_version_that_the_next_try_may_name(client: FlaskClient, world: World) -> None:
    world.people(1)
    campaign = world.campaign()
    put_status(client, campaign, "running")
    path, body = f"/api/campaigns/{campaign}/status", {"status": "draft"}
    refused = client.put(path, json=body, headers={"If-Match": '"2"'})
    assert (refused.status_code, refused.json["version"], refused.headers["ETag"]) == (409, 2, '"2"')
    named = {"If-Match": refused.headers["ETag"]}
    assert client.put(path, json={"status": "paused"}, headers=named).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"),
        ({"status": "stopped"}, "status"),
        ({"status": 5}, "status"),
        ({"status": "paused", "reason": "x" * 501}, "reason"),
        ({"status": "paused", "reason": "a\u0000b"}, "reason"),
        ({"status": "paused", "reason": ["a"]}, "reason"),
        ({"status": "scheduled"}, "send_at"),
        ({"status": "scheduled", "send_at": "tomorrow"}, "send_at"),
        ({"status": "scheduled", "send_at": "2026-03-05T08:00:00"}, "send_at"),
        ({"status": "scheduled", "send_at": "0001-01-01T00:00:00+14:00"}, "send_at"),
        ({"status": "scheduled", "send_at": "2020-01-01T00:00:00Z"}, "send_at"),
        ({"status": "running", "send_at": "2026-03-05T08:00:00Z"}, "send_at"),
    ],
)
def test_a_bad_field_is_refused_by_its_name(
    client: FlaskClient, world: World, body: dict[str, Any], field: str
) -> None:
    world.people(1)
    answer = client.put(f"/api/campaigns/{world.campaign()}/status", json=body)
    assert answer.status_code == 400
    assert answer.json["message"].startswith(f"{field}: ")


def test_an_unknown_campaign_is_not_found(client: FlaskClient, world: World) -> None:
    for number in (1, 2**31, 10**30):
        assert client.get(f"/api/campaigns/{number}").status_code == 404
        code, answer = put_status(client, number, "running")
        assert code == 404
        assert answer["message"]


def test_campaigns_are_listed_newest_first_with_their_counts(client: FlaskClient, world: World) -> None:
    people = world.people(3)
    first, second = world.campaign("First"), world.campaign("Second")
    world.queued(first, people)
    world.shown()
    listed = client.get("/api/campaigns").json["data"]
    assert [campaign["name"] for campaign in listed["results"]] == ["Second", "First"]
    assert listed["results"][1]["counts"]["queued"] == 3
    assert listed["results"][1]["to_send"] == 3
    assert client.get("/api/campaigns?status=draft").json["data"]["results"][0]["id"] == second
    assert client.get("/api/campaigns?per_page=1&page=2").json["data"]["results"][0]["id"] == first


def test_what_nobody_would_get_is_neither_started_nor_scheduled(client: FlaskClient, world: World) -> None:
    campaign, (person,) = world.campaign(), world.people(1)
    world.directory.people.set_status([person], "disabled", by="test")
    for body in ({"status": "running"}, {"status": "scheduled", "send_at": "2099-03-06T07:00:00Z"}):
        answer = client.put(f"/api/campaigns/{campaign}/status", json=body)
        assert answer.status_code == 409
        assert answer.json["message"] == (
            "The campaign cannot be started: none of the subscribers on its lists can be mailed"
        )
    assert world.application.campaign(campaign).state == "draft"


def test_a_campaign_whose_texts_are_faulty_is_not_started(client: FlaskClient, world: World) -> None:
    world.people(1)
    campaign = world.campaign(headers=[("X-Who", "{{ subscriber.nmae }}")])
    code, answer = put_status(client, campaign, "running")
    assert code == 409
    assert answer["message"].startswith("The campaign cannot be started: ")
    assert "nmae" in answer["message"]
    assert world.application.campaign(campaign).state == "draft"


def test_servers_are_listed_with_settings_and_without_secrets(client: FlaskClient, world: World) -> None:
    world.server("alpha", username="me", daily_limit=10)
    world.shown()
    (server,) = client.get("/api/servers").json["data"]
    assert (server["name"], server["username"], server["port"]) == ("alpha", "me", 587)
    assert (server["daily_limit"], server["daily_remaining"], server["available"]) == (10, 10, True)
    assert not any("password" in name for name in server)
