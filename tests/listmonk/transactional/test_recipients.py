"""Who gets a transactional message, and what stays of them."""

from __future__ import annotations

import time

import pytest
from flask import Flask

from domain.delivery.unsubscribe_token import token
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.listmonk.client import Listmonk
from tests.listmonk.transactional.messages import arrived, campaigns, in_motion, template
from tests.pulse import Soon
from tests.sending.world import World, wait_until
from tests.web.world import KEY


def test_addresses_that_nobody_has_are_mailed_where_the_mode_says_so(
    world: World, listmonk: Listmonk, sink: Sink, ann: int
) -> None:
    number = template(listmonk, "[{{ .Subscriber.Name }}] {{ .Subscriber.Email }} {{ .Tx.Data.name }}")
    both = ["Ann@example.com", "new@example.com", "new@example.com"]
    for mode in ("fallback", "external"):
        listmonk.post("/api/tx", {
            "subscriber_mode": mode, "subscriber_emails": both, "template_id": number, "data": {"name": mode},
        })  # fmt: skip
    texts = sorted(message.get_content().strip() for message in arrived(world, sink, 4))
    assert texts == [
        "[Ann Berg] ann@example.com fallback",
        "[] ann@example.com external",
        "[] new@example.com external",
        "[] new@example.com fallback",
    ]
    assert listmonk.get("/api/subscribers")["total"] == 1
    shown = listmonk.get("/api/queue/items", subscriber="new@example.com")["results"]
    assert [(one["subscriberEmail"], one["subscriberId"]) for one in shown] == [("new@example.com", None)] * 2
    of_ann = listmonk.get("/api/deliveries", subscriber="ann@example.com")["items"]
    assert [one["subscriberId"] for one in of_ann] == [ann, ann]


@pytest.mark.parametrize("status", ["disabled", "blocklisted"])
def test_whoever_is_not_to_be_mailed_is_not_in_any_mode(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int, status: str
) -> None:
    world.directory.people.set_status([ann], status, by="test")
    for mode in ("default", "fallback", "external"):
        body = {"subscriber_emails": ["ann@example.com"], "template_id": order, "subscriber_mode": mode}
        assert listmonk.post("/api/tx", body) is True
    assert arrived(world, sink, 0) == []
    assert world.counts() == {"suppressed": 3}


def test_who_is_blocklisted_after_an_external_message_was_queued_is_not_mailed(
    world: World, listmonk: Listmonk, sink: Sink, order: int
) -> None:
    body = {"subscriber_emails": ["new@example.com"], "template_id": order, "subscriber_mode": "external"}
    listmonk.post("/api/tx", body)
    world.directory.people.blocklist("New@example.com", by="test")
    assert arrived(world, sink, 0) == []
    assert world.counts() == {"suppressed": 1}


def test_addresses_that_nobody_has_are_not_mailed_once_blocklisted_though_their_messages_are_planned(
    world: World, listmonk: Listmonk, order: int, soon: Soon
) -> None:
    emails = [f"n{number}@example.com" for number in range(8)]
    body = {"subscriber_emails": emails, "template_id": order, "subscriber_mode": "external"}
    with Sink(rules=(SinkRule("dot", delay=2.0, times=4),)) as slow:
        world.add_server("alpha", slow, max_conns=1)
        listmonk.post("/api/tx", body)
        with world.sending():
            wait_until(lambda: slow.messages)
            for email in emails:
                world.directory.people.blocklist(email, by="test")
            stopped_at = time.time()
            wait_until(lambda: not in_motion(world))
        assert all(received.mail_at < soon(stopped_at) for received in slow.messages)
    assert world.counts() == {"sent": len(slow.messages), "suppressed": 8 - len(slow.messages)}


def test_erasing_a_person_takes_what_was_to_be_said_along(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    given = {"template_id": order, "data": {"order_id": "secret-1"}}
    listmonk.post("/api/tx", {**given, "subscriber_id": ann})
    other = {**given, "subscriber_mode": "external", "data": {"order_id": "secret-2"}}
    listmonk.post("/api/tx", {**other, "subscriber_emails": ["ann@example.com"]})
    listmonk.post("/api/tx", {**given, "subscriber_mode": "fallback", "data": {"order_id": "shared"},
                              "subscriber_emails": ["ann@example.com", "bob@example.com"]})  # fmt: skip
    listmonk.delete(f"/api/subscribers/{ann}")
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT data FROM transactional_requests ORDER BY number")
        assert [data for (data,) in cursor.fetchall()] == [{}, {}, {"order_id": "shared"}]
        cursor.execute("SELECT email FROM transactional_messages WHERE email IS NOT NULL")
        assert cursor.fetchall() == [("bob@example.com",)]
    (message,) = arrived(world, sink)
    assert message["To"] == "bob@example.com"
    assert world.counts() == {"sent": 1, "suppressed": 3}


def test_the_log_has_neither_address_nor_data(
    world: World, listmonk: Listmonk, sink: Sink, order: int
) -> None:
    listmonk.post("/api/tx", {
        "subscriber_mode": "external", "subscriber_emails": ["private@example.com"], "template_id": order,
        "data": {"order_id": "token-4711"}, "subject": "For your eyes", "headers": [{"X-Own": "mine-4711"}],
        "altbody": "text-4711",
    })  # fmt: skip
    arrived(world, sink)
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT string_agg(convert_from(state, 'UTF8'), ' ') FROM events")
        log = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(convert_from(body, 'UTF8'), ' ') FROM content")
        kept = cursor.fetchone()[0]
    for word in ("private@", "4711", "eyes"):
        assert word not in log + kept
    assert "order" in kept


def test_the_token_of_a_message_unsubscribes_nobody(
    world: World, listmonk: Listmonk, sink: Sink, app: Flask, order: int, ann: int
) -> None:
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    (campaign,) = campaigns(world)
    world.runner.catch_up()
    link = f"/unsubscribe/{token(KEY, campaign, 1)}"
    client = app.test_client()
    assert client.get(link).status_code == 404
    assert client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 404
