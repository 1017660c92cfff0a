"""The log as a feed of CloudEvents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.accounts.accounts import Accounts
from domain.streams import campaign_stream, delivery_stream
from storage.log import feed
from tests.web.accounts.browsers import add_people
from tests.web.world import World
from web.http.services import services


@pytest.fixture
def past(world: World) -> tuple[int, int, list[int]]:
    """(server, campaign, people): one e-mail is sent, one failed."""
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(3)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[1], server)
    world.shown()
    return server, campaign, people


def read(client: FlaskClient, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/events?{query}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    return data


def kinds(data: dict[str, Any]) -> list[str]:
    return [event["type"].removeprefix("org.postledger.") for event in data["events"]]


def test_an_event_is_a_cloud_event(client: FlaskClient, past: tuple[int, int, list[int]]) -> None:
    _, campaign, people = past
    (event,) = read(client, "topic=delivery.accepted")["events"]
    assert len(event.pop("hash")) == 64
    assert event.pop("id") == event.pop("position")
    assert event == {
        "specversion": "1.0",
        "source": "https://post.example.com",
        "type": "org.postledger.delivery.accepted.v1",
        "subject": f"deliveries/{(campaign << 32) + people[0]}",
        "time": "2026-03-04T12:00:00.000Z",
        "datacontenttype": "application/json",
        "stream": str(delivery_stream(campaign, people[0])),
        "streamversion": 2,
        "data": {"server": 1, "reply": "2.0.0 Ok: queued as 4F1", "code": 250, "by": "test"},
    }


def test_what_an_event_says_is_told_without_what_its_storage_adds(
    client: FlaskClient, world: World, past: tuple[int, int, list[int]]
) -> None:
    world.application.schedule(world.campaign("Later"), "2026-05-01T08:00:00Z", by="user:ann")
    data = [event["data"] for event in read(client, "limit=1000")["events"]]
    assert data[-1] == {"by": "user:ann", "send_at": "2026-05-01T08:00:00+00:00"}
    assert all("by" in one for one in data)
    assert not any(word in json.dumps(data) for word in ("_type_", "_data_", "originator", "timestamp"))


@pytest.mark.parametrize("way", ["read", "wait", "stream"])
def test_a_position_that_the_log_has_not_reached_is_refused_at_once(
    client: FlaskClient, past: tuple[int, int, list[int]], way: str
) -> None:
    head = read(client)["head"]
    query = f"after={head + 1}" + ("&wait=30" if way == "wait" else "")
    accept = {"Accept": "text/event-stream" if way == "stream" else "application/json"}
    answer = client.get(f"/api/events?{query}", headers=accept)
    assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (400, "after")
    assert f"the log ends at {head}" in answer.json["message"]
    assert read(client, f"after={head}")["events"] == []


def test_whoever_reads_on_gets_every_event_once(
    client: FlaskClient, past: tuple[int, int, list[int]]
) -> None:
    positions, after = [], 0
    while True:
        page = read(client, f"after={after}&limit=3")
        positions += [int(event["position"]) for event in page["events"]]
        after = page["next"]
        if not page["events"]:
            break
    assert positions == list(range(1, page["head"] + 1))
    assert after == page["head"]


def test_topics_and_campaigns_are_chosen(
    client: FlaskClient, world: World, past: tuple[int, int, list[int]]
) -> None:
    _, campaign, _ = past
    other = world.campaign("Other")
    assert set(kinds(read(client, "topic=server"))) == {"server.added.v1"}
    assert kinds(read(client, "topic=delivery.accepted,delivery.failed")) == [
        "delivery.accepted.v1", "delivery.failed.v1",
    ]  # fmt: skip
    assert kinds(read(client, f"campaign={other}")) == ["campaign.created.v1"]
    of_campaign = read(client, f"campaign={campaign}&limit=1000")
    assert {event["subject"].split("/")[0] for event in of_campaign["events"]} == {"campaigns", "deliveries"}
    assert read(client, "topic=person")["next"] == read(client)["head"], "nothing of it happened"


def test_a_long_log_is_looked_through_in_stretches(
    client: FlaskClient, past: tuple[int, int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "STRETCH", 2)
    page = read(client, "topic=delivery.failed")
    assert (page["events"], page["next"]) == ([], 2)
    while not page["events"]:
        page = read(client, f"topic=delivery.failed&after={page['next']}")
    assert kinds(page) == ["delivery.failed.v1"]
    assert kinds(read(client, "topic=delivery.failed&wait=20")) == ["delivery.failed.v1"], "it looks further"


def test_a_batch_is_the_list_alone(client: FlaskClient, past: tuple[int, int, list[int]]) -> None:
    answer = client.get("/api/events", headers={"Accept": "application/cloudevents-batch+json"})
    assert answer.content_type == "application/cloudevents-batch+json"
    assert [event["id"] for event in json.loads(answer.text)][:2] == ["1", "2"]


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        f"after={2**63}",
        "limit=0",
        "limit=1001",
        "wait=31",
        "topic=%27",
        "topic=delivery.accept",
        "topic=true",
        "campaign=0",
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/events?{query}")
    assert answer.status_code == 400
    assert answer.json["message"].startswith(query.split("=")[0])


def test_who_waits_is_told_as_soon_as_something_happens(
    client: FlaskClient, app: Flask, world: World
) -> None:
    world.directory.list("Friends")
    head = read(client)["head"]
    found: list[dict[str, Any]] = []
    waiting = Thread(target=lambda: found.append(read(app.test_client(), f"after={head}&wait=30")))
    begun = monotonic()
    waiting.start()
    world.campaign()
    waiting.join()
    assert kinds(found[0]) == ["campaign.created.v1"]
    assert monotonic() - begun < 30, "before the time is up"
    assert read(client, f"after={found[0]['next']}&wait=1")["events"] == [], "then the time is up"


def test_only_so_many_wait_at_a_time(client: FlaskClient, app: Flask, world: World) -> None:
    here = app.extensions["postledger.waiters"]
    places = [here.enter() for _ in range(9)]
    assert places == [True] * 8 + [False]
    assert read(client, "after=0&wait=30")["events"] == [], "answered at once"
    answer = client.get("/api/events", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    here.leave()
    stream = client.get("/api/events", headers={"Accept": "text/event-stream"})
    assert stream.status_code == 200
    stream.close()
    assert here.enter(), "the place is given back"


def messages(response: HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, event) of each message."""
    identity = ""
    for line in response:
        name, _, value = line.decode().strip().partition(": ")
        if name == "id":
            identity = value
        elif name == "data":
            yield identity, json.loads(value)


def test_a_stream_tells_what_happens_and_resumes(address: str, world: World) -> None:
    first_campaign = world.campaign()
    url = urlsplit(address)
    connection = HTTPConnection(str(url.hostname), url.port, timeout=60)
    connection.request("GET", "/api/events?topic=campaign", headers={"Accept": "text/event-stream"})
    stream = messages(connection.getresponse())
    seen, event = next(stream)
    assert event["stream"] == str(campaign_stream(first_campaign))
    second_campaign = world.campaign()
    identity, event = next(stream)
    assert (event["stream"], identity) == (str(campaign_stream(second_campaign)), event["position"])
    connection.close()
    again = HTTPConnection(str(url.hostname), url.port, timeout=60)
    headers = {"Accept": "text/event-stream", "Last-Event-ID": seen}
    again.request("GET", "/api/events?topic=campaign", headers=headers)
    assert next(messages(again.getresponse())) == (identity, event)
    again.close()


def test_a_stream_ends_with_the_key_that_it_began_under(
    app: Flask, address: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.api.events.CHECK_EVERY", 0.0)
    with app.app_context():
        accounts = Accounts(services())
        add_people(accounts)
        number, key = accounts.create_key("program", ["read"], by="test")
    url = urlsplit(address)
    connection = HTTPConnection(str(url.hostname), url.port, timeout=60)
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {key}"}
    connection.request("GET", "/api/events?topic=key", headers=headers)
    stream = messages(connection.getresponse())
    assert next(stream)[1]["type"] == "org.postledger.key.created.v1"
    accounts.revoke_key(number, by="test")
    assert {event["type"] for _, event in stream} <= {"org.postledger.key.revoked.v1"}, "and then it is over"
    connection.close()


def test_an_id_that_is_none_is_refused(client: FlaskClient) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "yesterday"}
    assert client.get("/api/events", headers=headers).status_code == 400
