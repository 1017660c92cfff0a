"""Servers and the sending policy through the API, and changes meant for one version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from storage.secrets import Secrets
from tests.web.world import NOON, World

SERVER = {"name": "alpha", "host": "smtp.example.com", "from_email": "news@alpha.example.com"}


@pytest.fixture
def secrets(app: Flask) -> Secrets:
    found = app.extensions["postledger"].secrets
    assert isinstance(found, Secrets)
    return found


def add(client: FlaskClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/api/servers", json={**SERVER, **changes})
    assert answer.status_code == 201, answer.json
    data: dict[str, Any] = answer.json["data"]
    return data


def destination_of(world: World, number: int) -> str:
    return world.application.server(number).settings.destination


def test_a_server_is_added_and_in_use_at_once(client: FlaskClient) -> None:
    added = add(client, daily_limit=1000, window="08:00-20:00", sliding_window=True, sliding_window_rate=5)
    assert (added["port"], added["daily_limit"], added["available"]) == (587, 1000, True)
    assert client.get(f"/api/servers/{added['id']}").json["data"] == added
    assert added["updated_by"] == "local"


def test_a_password_goes_in_and_never_out(client: FlaskClient, world: World, secrets: Secrets) -> None:
    added = add(client, username="me", auth_protocol="plain", password="hunter2 and more")
    path = f"/api/servers/{added['id']}"
    told = client.get(path).text + client.get("/api/servers").text + client.get("/api/events?limit=1000").text
    assert "hunter2" not in told
    with world.pool.transaction() as cursor:
        assert (
            secrets.password_of(cursor, added["id"], destination_of(world, added["id"])) == "hunter2 and more"
        )
    client.put(path, json={"password": ""})
    with world.pool.transaction() as cursor:
        assert not secrets.password_of(cursor, added["id"], destination_of(world, added["id"]))


def test_what_is_not_given_stays(client: FlaskClient) -> None:
    added = add(client, daily_limit=10, username="me", auth_protocol="login")
    changed = client.put(f"/api/servers/{added['id']}", json={"daily_limit": 20}).json["data"]
    assert changed == {**added, "daily_limit": 20, "daily_remaining": 20, "updated_at": changed["updated_at"]}


def test_a_name_is_taken_once(client: FlaskClient) -> None:
    add(client)
    other = add(client, name="bravo")
    for answer in (
        client.post("/api/servers", json=SERVER),
        client.put(f"/api/servers/{other['id']}", json={"name": "alpha"}),
    ):
        assert answer.status_code == 400
        assert answer.json["errors"][0]["pointer"] == "/name"


def test_of_several_at_once_one_gets_the_name(app: Flask) -> None:
    together = Barrier(4, timeout=60)

    def add_it() -> int:
        together.wait()
        return app.test_client().post("/api/servers", json=SERVER).status_code

    with ThreadPoolExecutor(4) as threads:
        codes = [asked.result() for asked in [threads.submit(add_it) for _ in range(4)]]
    assert sorted(codes) == [201, 400, 400, 400]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"host": "no host"}, "host"),
        ({"from_email": "nobody"}, "from_email"),
        ({"port": 0}, "port"),
        ({"window": "late"}, "window"),
        ({"daily_limit": -1}, "daily_limit"),
        ({"max_conns": "10"}, "max_conns"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name(client: FlaskClient, changes: Any, field: str) -> None:
    answer = client.post("/api/servers", json={**SERVER, **changes})
    assert answer.status_code == 400
    assert answer.json["errors"][0]["pointer"] == f"/{field}"
    assert client.get("/api/servers").json["data"] == []


def test_a_server_is_rested_and_taken_back(client: FlaskClient) -> None:
    path = f"/api/servers/{add(client)['id']}"
    until = (NOON + timedelta(hours=1)).isoformat()

    def state(action: str, body: Any = None) -> Any:
        answer = client.put(f"{path}/{action}", json=body) if body else client.put(f"{path}/{action}")
        assert answer.status_code == 200, answer.json
        return answer.json["data"]["unavailable_reason"]

    assert state("suspend", {"reason": "new address", "until": until}) == (
        "suspended: new address until 2026-03-04T13:00:00Z"
    )
    assert state("resume") is None
    assert state("suspend", {"reason": "broken"}) == "suspended: broken"
    assert state("resume") is None
    assert state("disable") == "disabled"
    assert state("enable") is None
    for action in ("enable", "disable", "resume"):
        assert client.put(f"/api/servers/99/{action}").status_code == 404


def test_a_change_is_made_only_at_the_version_that_it_is_meant_for(client: FlaskClient) -> None:
    path = f"/api/servers/{add(client)['id']}"
    etag = client.get(path).headers["ETag"]
    assert etag.startswith('"1-')
    answer = client.put(path, json={"daily_limit": 20}, headers={"If-Match": etag})
    assert (answer.status_code, answer.headers["ETag"][:3]) == (200, '"2-')
    late = client.put(path, json={"daily_limit": 30}, headers={"If-Match": etag})
    assert (late.status_code, late.json["version"], late.headers["ETag"]) == (412, 2, '"2"')
    assert late.json["type"] == "/api/docs#problem-changed-meanwhile"
    assert client.get(path).json["data"]["daily_limit"] == 20
    assert client.put(path, json={"daily_limit": 30}, headers={"If-Match": '"2"'}).status_code == 200
    assert client.put(f"{path}/disable", headers={"If-Match": '"2"'}).status_code == 412
    assert client.put(f"{path}/disable", headers={"If-Match": "*"}).status_code == 200
    assert client.put(path, json={}, headers={"If-Match": "what"}).status_code == 400
    assert late.json["detail"] == "this was meant for version 1; it is at version 2 now"
    nobodys = client.put(path, json={}, headers={"If-Match": '"what"'})
    assert nobodys.json["detail"] == "If-Match names no version of this; it is at version 4 now"


def test_the_password_stays_when_the_change_comes_too_late(
    client: FlaskClient, world: World, secrets: Secrets
) -> None:
    number = add(client, password="first one")["id"]
    answer = client.put(f"/api/servers/{number}", json={"password": "second"}, headers={"If-Match": '"99"'})
    assert answer.status_code == 412
    with world.pool.transaction() as cursor:
        assert secrets.password_of(cursor, number, destination_of(world, number)) == "first one"


def test_who_has_it_already_is_told_so(client: FlaskClient, world: World) -> None:
    path = f"/api/servers/{add(client)['id']}"
    for address in (path, "/api/servers", "/api/queue/stats", "/api/queue/items", "/api/policy"):
        etag = client.get(address).headers["ETag"]
        again = client.get(address, headers={"If-None-Match": etag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    campaign, people = world.campaign(), world.people(1)
    etag = client.get("/api/queue/stats").headers["ETag"]
    world.queued(campaign, people)
    news = client.get("/api/queue/stats", headers={"If-None-Match": etag})
    assert (news.status_code, news.json["data"]["queued"]) == (200, 1)


def test_the_policy_is_read_and_changed(client: FlaskClient) -> None:
    before = client.get("/api/policy")
    assert (before.json["data"]["windows"], before.headers["ETag"][:3]) == ("", '"0-')
    answer = client.put(
        "/api/policy",
        json={"windows": "22:00-06:00", "timezone": "Europe/Berlin", "holidays": ["2026-12-25"]},
        headers={"If-Match": before.headers["ETag"]},
    )
    assert answer.status_code == 200
    assert answer.json["data"] == {
        **before.json["data"],
        "windows": "22:00-06:00",
        "timezone": "Europe/Berlin",
        "holidays": ["2026-12-25"],
    }
    late = client.put("/api/policy", json={"batch": 5}, headers={"If-Match": '"0"'})
    assert (late.status_code, late.json["version"]) == (412, 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"windows": "25:00-26:00"}, "windows"),
        ({"weekdays": []}, "weekdays"),
        ({"weekdays": [8]}, "weekdays"),
        ({"holidays": ["2026-02-30"]}, "holidays"),
        ({"retry_first": 100, "retry_cap": 10}, "retry_cap"),
        ({"strategy": "best"}, "strategy"),
        ({"queue_paused": 1}, "queue_paused"),
    ],
)
def test_a_bad_policy_is_refused_by_its_name(client: FlaskClient, changes: Any, field: str) -> None:
    answer = client.put("/api/policy", json=changes)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["pointer"].split("/")[1] == field
    assert client.get("/api/policy").headers["ETag"].startswith('"0-')
