"""Forecasts through the API."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.world import World


def ask(client: FlaskClient, **body: Any) -> Any:
    answer = client.post("/api/forecast", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json["data"]


def totals(data: Any) -> list[int]:
    return [day["total"] for day in data["days"]]


def test_a_draft_is_forecast_day_by_day_and_server_by_server(client: FlaskClient, world: World) -> None:
    alpha, bravo = world.server("alpha", daily_limit=3), world.server("bravo", daily_limit=2)
    campaign, _ = world.campaign(), world.people(12)
    world.shown()
    data = client.get(f"/api/forecast?campaign_id={campaign}").json["data"]
    assert (data["recipients"], totals(data), data["left"]) == (12, [5, 5, 2], 0)
    assert data["days"][0] == {
        "date": "2026-03-04", "total": 5, "others": 0, "capacity": 5,
        "servers": [{"id": alpha, "name": "alpha", "count": 3}, {"id": bravo, "name": "bravo", "count": 2}],
    }  # fmt: skip
    assert (data["headline"], data["bottleneck"]["code"]) == ("Completes in 3 days", "daily")
    assert data["finish"].startswith("2026-03-06T")
    assert data["changes"][0]["code"] == "capacity"


def test_what_would_be_with_other_servers_is_told_and_changes_nothing(
    client: FlaskClient, world: World
) -> None:
    alpha = world.server("alpha", daily_limit=1000)
    world.shown()
    assert totals(ask(client, recipients=3000)) == [1000, 1000, 1000]
    assert totals(ask(client, recipients=3000, servers=[{"id": alpha, "daily_limit": 1500}])) == [1500, 1500]
    assert totals(ask(client, recipients=3000, servers=[{"daily_limit": 2000}])) == [3000]
    two_more = ask(client, recipients=3000, servers=[{"daily_limit": 500}, {"daily_limit": 500}])
    assert totals(two_more) == [2000, 1000]
    assert [share["name"] for share in two_more["days"][0]["servers"]] == ["one more", "one more", "alpha"]
    nothing = ask(client, recipients=10, servers=[{"id": alpha, "enabled": False}])
    assert (nothing["finish"], nothing["bottleneck"]["code"]) == (None, "no_server")
    assert client.get("/api/servers").json["data"][0]["daily_limit"] == 1000
    assert client.get("/api/events").json["data"]["head"] == 1


def test_a_campaign_is_forecast_with_other_recipients(client: FlaskClient, world: World) -> None:
    alpha, campaign = world.server("alpha", daily_limit=5), world.campaign()
    world.server("bravo", daily_limit=100)
    world.people(3)
    world.shown()
    assert ask(client, campaign_id=campaign)["recipients"] == 3
    assert totals(ask(client, campaign_id=campaign, recipients=10, server_id=alpha)) == [5, 5]
    later = ask(client, campaign_id=campaign, send_at="2026-03-10T08:00:00Z")
    assert later["start"].startswith("2026-03-10T08:00")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 400),
        ({"recipients": -1}, 400),
        ({"recipients": 1, "servers": [{"window": "late"}]}, 400),
        ({"recipients": 1, "servers": [{"id": 99}]}, 404),
        ({"campaign_id": 99}, 404),
    ],
)
def test_what_cannot_be_forecast_is_refused(
    client: FlaskClient, world: World, body: dict[str, Any], code: int
) -> None:
    assert client.post("/api/forecast", json=body).status_code == code


def test_an_unknown_campaign_is_not_found(client: FlaskClient) -> None:
    assert client.get("/api/forecast?campaign_id=7").status_code == 404
    assert client.get("/api/forecast").json["message"] == "campaign_id: is needed"
