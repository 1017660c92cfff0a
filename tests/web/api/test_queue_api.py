"""The queue through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from domain.delivery.delivery import Status
from domain.streams import server_stream
from tests.web.world import NOON, World

EMPTY = {
    "queued": 0,
    "sending": 0,
    "sent": 0,
    "failed": 0,
    "cancelled": 0,
    "unknown": 0,
    "suppressed": 0,
    "nextScheduledAt": None,
}


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.json
    return answer.json["data"]


def put(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.put(path)
    assert answer.status_code == status, answer.json
    return answer.json


def test_an_empty_queue_has_zeros_and_nothing_next(client: FlaskClient) -> None:
    assert data(client, "/api/queue/stats") == EMPTY
    assert data(client, "/api/queue/servers") == []
    assert data(client, "/api/queue/items") == {
        "results": [], "search": "", "query": "", "total": 0, "per_page": 0, "page": 0,
    }  # fmt: skip


def test_stats_count_every_status(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(6)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[1], server)
    world.unknown(campaign, people[2], server)
    world.attempt(campaign, people[3], server)
    world.shown()
    assert data(client, "/api/queue/stats") == {
        **EMPTY, "queued": 2, "sending": 1, "sent": 1, "failed": 1, "unknown": 1,
        "nextScheduledAt": "2026-03-04T12:00:00.000Z",
    }  # fmt: skip


def test_servers_tell_their_limit_and_why_they_are_closed(client: FlaskClient, world: World) -> None:
    world.server("bravo")
    alpha = world.server("alpha", daily_limit=1000)
    full = world.server("full", daily_limit=2)
    world.server("off", enabled=False)
    world.reserve(alpha, 250)
    world.reserve(full, 2)
    world.shown()
    servers = {server["name"]: server for server in data(client, "/api/queue/servers")}
    assert servers["alpha"] == {
        "uuid": str(server_stream(alpha)), "name": "alpha", "from_email": "news@alpha.example.com",
        "daily_limit": 1000, "daily_used": 250, "daily_remaining": 750,
        "enabled": True, "available": True, "unavailable_reason": None,
    }  # fmt: skip
    assert (servers["bravo"]["daily_limit"], servers["bravo"]["daily_remaining"]) == (0, None)
    assert servers["full"]["unavailable_reason"] == "daily limit reached until 2026-03-05T00:00:00Z"
    assert servers["off"]["unavailable_reason"] == "disabled"
    assert not servers["off"]["available"]


def test_while_a_campaign_of_higher_priority_is_due_the_others_wait_for_it(
    client: FlaskClient, world: World
) -> None:
    server, people = world.server("alpha"), world.people(2)
    campaign, urgent = world.campaign("Letter"), world.campaign("Alarm", priority="high")
    world.queued(campaign, people)

    def waiting() -> tuple[str, str]:
        world.shown()
        item = data(client, f"/api/queue/items?campaign_id={campaign}")["results"][0]
        return item["waitingCode"], item["waitingFor"]

    assert waiting() == ("next_in_line", "next in line")
    world.queued(urgent, people)
    assert waiting() == ("priority", "campaigns of higher priority go first")
    world.application.pause(urgent, by="test")
    assert waiting()[0] == "next_in_line"
    world.application.resume(urgent, by="test")
    assert waiting()[0] == "priority"
    world.deferred(urgent, people[0], server, NOON + timedelta(minutes=5))
    assert waiting()[0] == "priority"
    world.accepted(urgent, people[1], server)
    assert waiting()[0] == "next_in_line"
    world.clock.advance_to(NOON + timedelta(minutes=6))
    assert waiting()[0] == "priority"
    world.application.change_priority(campaign, "high", by="test")
    assert waiting()[0] == "next_in_line"


def test_a_full_rolling_window_says_when_it_frees(client: FlaskClient, world: World) -> None:
    settings = {"sliding_window": True, "sliding_window_rate": 5, "sliding_window_duration": 60}
    server = world.server("alpha", **settings)
    world.reserve(server, 5)
    world.shown()
    (alpha,) = data(client, "/api/queue/servers")
    assert alpha["unavailable_reason"] == "rolling limit reached until 2026-03-04T12:01:10Z"
    world.clock.advance_to(NOON + timedelta(seconds=71))
    (alpha,) = data(client, "/api/queue/servers")
    assert alpha["available"]


def test_a_closed_window_and_a_suspension_say_until_when(client: FlaskClient, world: World) -> None:
    world.server("night", window="22:00-06:00")
    tired = world.server("tired")
    world.application.suspend_server(tired, reason="421 too many", until=NOON + timedelta(hours=1), by="test")
    world.shown()
    reasons = [server["unavailable_reason"] for server in data(client, "/api/queue/servers")]
    assert reasons == [
        "sending window closed until 2026-03-04T22:00:00Z",
        "suspended: 421 too many until 2026-03-04T13:00:00Z",
    ]


def test_an_item_has_the_fields_of_listmonk(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(priority="high"), world.people(1)
    world.queued(campaign, people)
    world.deferred(campaign, people[0], server, NOON + timedelta(minutes=3))
    world.shown()
    (item,) = data(client, "/api/queue/items")["results"]
    assert item.pop("subscriberUuid")
    assert item.pop("campaignUuid")
    assert item == {
        "id": (campaign << 32) + people[0], "campaignId": campaign, "campaignName": "Spring letter",
        "subscriberId": people[0], "subscriberEmail": "p1@example.org", "status": "queued",
        "priority": "high", "scheduledAt": "2026-03-04T12:03:00.000Z", "sentAt": None,
        "assignedSmtpServerUuid": str(server_stream(server)), "attempts": 1, "retryCount": 0,
        "errorMessage": "450 4.2.1 Try later", "waitingFor": "retry at 2026-03-04T12:03:00Z",
        "waitingCode": "retry", "waitingUntil": "2026-03-04T12:03:00.000Z",
        "createdAt": "2026-03-04T12:00:00.000Z", "updatedAt": "2026-03-04T12:00:00.000Z",
    }  # fmt: skip


def test_items_wait_for_what_holds_them(client: FlaskClient, world: World) -> None:
    campaign, people = world.campaign(), world.people(1)
    world.queued(campaign, people)

    def waiting() -> str:
        world.shown()
        reason = data(client, "/api/queue/items")["results"][0]["waitingFor"]
        assert isinstance(reason, str)
        return reason

    assert waiting() == "no SMTP server is set up for it"
    server = world.server("alpha", daily_limit=1)
    assert waiting() == "next in line"
    world.reserve(server, 1)
    assert waiting() == "server alpha: daily limit reached until 2026-03-05T00:00:00Z"
    world.server("off", enabled=False)
    assert waiting() == "server alpha: daily limit reached until 2026-03-05T00:00:00Z"
    world.application.change_policy({"windows": "20:00-23:00"}, by="test")
    assert waiting() == "outside the sending window until 2026-03-04T20:00:00Z"
    world.application.pause(campaign, reason="typo", by="test")
    assert waiting() == "the campaign is paused: typo"


def test_filters_choose_items(client: FlaskClient, world: World) -> None:
    alpha, bravo, people = world.server("alpha"), world.server("bravo"), world.people(5)
    first, second = world.campaign("First"), world.campaign("Second")
    world.queued(first, people)
    world.queued(second, people)
    world.accepted(first, people[0], alpha)
    world.accepted(first, people[1], bravo)
    world.failed(second, people[0], bravo)
    world.shown()

    def found(query: str) -> list[tuple[int, int]]:
        listed = data(client, f"/api/queue/items?{query}")
        assert listed["total"] == len(listed["results"])
        return [(item["campaignId"], item["subscriberId"]) for item in listed["results"]]

    assert len(found("")) == 10
    assert found("status=sent") == [(first, people[0]), (first, people[1])]
    assert found("status=sent&status=failed") == [
        (second, people[0]), (first, people[0]), (first, people[1]),
    ]  # fmt: skip
    assert found(f"smtp_server_uuid={server_stream(bravo)}") == [(second, people[0]), (first, people[1])]
    assert found("smtp_server_uuid=00000000-0000-4000-8000-000000000000") == []
    assert found("subscriber=p3@example.org") == [(second, people[2]), (first, people[2])]
    assert len(found("subscriber=example.org")) == 10
    assert found("subscriber=100%25") == []
    assert found(f"subscriber=p1@&campaign_id={first}") == [(first, people[0])]
    assert found("campaign_id=99") == []


def test_pages_show_every_item_once(client: FlaskClient, world: World) -> None:
    server, people = world.server("alpha"), world.people(11)
    for name in ("First", "Second"):
        campaign = world.campaign(name)
        world.queued(campaign, people)
        world.accepted(campaign, people[3], server)
        world.failed(campaign, people[5], server)
    world.shown()
    seen = []
    for page in range(1, 7):
        listed = data(client, f"/api/queue/items?per_page=4&page={page}")
        assert (listed["total"], listed["page"], listed["per_page"]) == (22, page, 4)
        seen += [item["id"] for item in listed["results"]]
    assert len(seen) == len(set(seen)) == 22
    assert seen == [item["id"] for item in data(client, "/api/queue/items?per_page=all")["results"]]


def test_what_waits_in_a_cancelled_campaign_is_shown_as_cancelled(client: FlaskClient, world: World) -> None:
    campaign, people = world.campaign(), world.people(3)
    world.queued(campaign, people)
    world.application.cancel(campaign, by="test")
    world.shown()
    listed = data(client, "/api/queue/items?status=cancelled")
    assert [item["status"] for item in listed["results"]] == ["cancelled"] * 3
    assert data(client, "/api/queue/items?status=queued")["total"] == 0
    assert listed["results"][0]["waitingFor"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=two", "page"),
        ("page=²", "page"),
        ("per_page=51", "per_page"),
        ("per_page=-1", "per_page"),
        ("campaign_id=1%20OR%201=1", "campaign_id"),
        ("campaign_id=99999999999999999999", "campaign_id"),
        ("campaign_id=999999999999999999999999999", "campaign_id"),
        ("status=lost", "status"),
        ("smtp_server_uuid=7", "smtp_server_uuid"),
        ("subscriber=" + "x" * 201, "subscriber"),
        ("subscriber=a%00b", "subscriber"),
    ],
)
def test_a_bad_filter_is_refused_by_its_name(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/api/queue/items?{query}")
    assert answer.status_code == 400
    assert answer.json["message"].startswith(f"{field}: ")


def test_cancelling_and_retrying_an_item(client: FlaskClient, world: World) -> None:
    campaign, people = world.campaign(), world.people(2)
    world.queued(campaign, people)
    item = f"/api/queue/{(campaign << 32) + people[0]}"
    assert put(client, f"{item}/cancel")["data"]["status"] == "cancelled"
    assert data(client, "/api/queue/stats")["cancelled"] == 1
    assert put(client, f"{item}/cancel", 409)["message"].endswith("this one is cancelled.")
    assert put(client, f"{item}/retry")["data"]["status"] == "queued"
    assert put(client, f"{item}/retry", 409)["message"].endswith("this one is queued.")
    assert data(client, "/api/queue/stats")["queued"] == 2
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT topic, state->>'by' FROM event_log ORDER BY position DESC LIMIT 2")
        assert cursor.fetchall() == [("delivery.requeued", "local"), ("delivery.cancelled", "local")]


def test_the_answer_shows_what_the_log_says_even_when_the_projections_were_behind(
    client: FlaskClient, world: World
) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.failed(campaign, people[0], server)
    retried = put(client, f"/api/queue/{(campaign << 32) + people[0]}/retry")["data"]
    assert (retried["status"], retried["waitingFor"]) == (Status.QUEUED, "next in line")


@pytest.mark.parametrize("number", [0, 1, 1 << 32, (1 << 63) + 5, 10**30])
def test_an_unknown_item_is_not_found(client: FlaskClient, world: World, number: int) -> None:
    for action in ("cancel", "retry"):
        assert "no such e-mail" in put(client, f"/api/queue/{number}/{action}", 404)["message"]


def test_nothing_is_retried_in_a_cancelled_campaign(client: FlaskClient, world: World) -> None:
    campaign, people = world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.application.cancel(campaign, by="test")
    answer = put(client, f"/api/queue/{(campaign << 32) + people[0]}/retry", 409)
    assert "campaign is cancelled" in answer["message"]
