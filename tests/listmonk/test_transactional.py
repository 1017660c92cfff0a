"""Transactional messages, asked for by a client of listmonk and sent through a real SMTP server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

from application.rendering.questions import parsed
from domain.delivery.unsubscribe_token import token
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from projections import campaign_progress
from projections.following.check import check
from projections.queue import queue
from tests.listmonk.client import Listmonk, ListmonkError
from tests.pulse import Soon
from tests.sending.world import World, wait_until
from tests.web.applications import application
from tests.web.world import KEY

ORDER = "<p>Hi {{ .Subscriber.FirstName }}, order {{ .Tx.Data.order_id }} is on its way.</p>"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def app(world: World) -> Iterator[Flask]:
    with application(world.installation) as made:
        yield made


@pytest.fixture
def sink(world: World) -> Iterator[Sink]:
    with Sink() as opened:
        world.add_server("alpha", opened)
        yield opened


@pytest.fixture
def order(listmonk: Listmonk) -> int:
    return template(listmonk, ORDER)


@pytest.fixture
def ann(listmonk: Listmonk) -> int:
    body = {"email": "ann@example.com", "name": "Ann Berg", "attribs": {"city": "Oslo"}, "lists": []}
    return int(listmonk.post("/api/subscribers", {**body, "status": "enabled"})["id"])


def template(listmonk: Listmonk, body: str, subject: str = "Your order") -> int:
    given = {"name": "Order", "type": "tx", "subject": subject, "body": body}
    return int(listmonk.post("/api/templates", given)["id"])


def arrived(world: World, sink: Sink, count: int = 1) -> list[EmailMessage]:
    """What a processor sends, once so many have arrived and nothing is left to send."""
    with world.sending():
        wait_until(lambda: len(sink.messages) >= count and not in_motion(world))
    assert len(sink.messages) == count
    return [parsed(one.message) for one in sink.messages]


def in_motion(world: World) -> int:
    counts = world.counts()
    return counts.get("queued", 0) + counts.get("sending", 0)


def test_the_example_of_the_documentation_arrives(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    answer = listmonk.post("/api/tx", {
        "subscriber_email": "ann@example.com", "template_id": order,
        "data": {"order_id": "1234", "date": "2022-07-30", "items": [1, 2, 3]}, "content_type": "html",
    })  # fmt: skip
    assert answer is True
    (message,) = arrived(world, sink)
    assert (message["To"], message["Subject"]) == ("Ann Berg <ann@example.com>", "Your order")
    assert message.get_content().strip() == "<p>Hi Ann, order 1234 is on its way.</p>"
    assert world.counts() == {"sent": 1}


def test_a_range_over_items_and_text_beside_html_are_sent(
    world: World, listmonk: Listmonk, sink: Sink, ann: int
) -> None:
    number = template(
        listmonk,
        "<ul>{{ range .Tx.Data.items }}<li>{{ . }}</li>{{ end }}</ul>{{ tx.data.note }}",
        "Order {{ .Tx.Data.order_id }}",
    )
    listmonk.post("/api/tx", {
        "subscriber_ids": [ann], "template_id": number, "altbody": "Text for {{ .Subscriber.Name }}",
        "data": {"order_id": 7, "items": ["tea", "milk"], "note": "<b>"},
    })  # fmt: skip
    (message,) = arrived(world, sink)
    assert message["Subject"] == "Order 7"
    assert part(message, "plain") == "Text for Ann Berg"
    assert part(message, "html") == "<ul><li>tea</li><li>milk</li></ul>&lt;b&gt;"


def test_the_request_has_the_last_word_on_subject_and_headers(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    listmonk.post("/api/tx", {
        "subscriber_id": ann, "template_id": order, "subject": "For {{ .Subscriber.Name }}: {{ .Tx.Data.n }}",
        "data": {"n": 3}, "headers": [{"X-Order": "3"}, {"List-Unsubscribe": "<mailto:stop@example.com>"}],
        "from_email": "Shop <shop@example.com>", "messenger": "email",
    })  # fmt: skip
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    own, plain = sorted(arrived(world, sink, 2), key=lambda message: "X-Order" not in message)
    assert (own["Subject"], own["X-Order"]) == ("For Ann Berg: 3", "3")
    assert own["List-Unsubscribe"] == "<mailto:stop@example.com>"
    assert plain["Subject"] == "Your order"
    assert plain["Auto-Submitted"] == "auto-generated"
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence"):
        assert name not in plain
    assert len(campaigns(world)) == 1


@pytest.mark.parametrize(
    ("content_type", "kind", "content"),
    [
        ("html", "text/html", "# Hi *Ann*"),
        ("markdown", "text/html", "<h1>Hi <em>Ann</em></h1>"),
        ("plain", "text/plain", "# Hi *Ann*"),
    ],
)
def test_each_content_type_is_what_it_says(
    world: World, listmonk: Listmonk, sink: Sink, ann: int, content_type: str, kind: str, content: str
) -> None:
    number = template(listmonk, "# Hi *{{ .Subscriber.FirstName }}*")
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": number, "content_type": content_type})
    (message,) = arrived(world, sink)
    assert message.get_content_type() == kind
    assert message.get_content().strip() == content


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


def test_a_message_has_a_story_like_any_other(
    world: World, listmonk: Listmonk, sink: Sink, app: Flask, order: int, ann: int
) -> None:
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    arrived(world, sink)
    (item,) = listmonk.get("/api/queue/items", subscriber=ann)["results"]
    assert (item["priority"], item["subscriberEmail"], item["status"]) == ("high", "ann@example.com", "sent")
    story = listmonk.get(f"/api/deliveries/{item['id']}")
    assert [event["type"].split(".", 2)[2] for event in story["events"]] == [
        "delivery.attempt_started.v1",
        "delivery.accepted.v1",
    ]
    client = app.test_client()
    page = client.get(f"/queue/{item['id']}").text
    assert f'href="/subscribers/{ann}"' in page
    assert "Put in the queue" in page
    assert "1 of 1" in client.get("/campaigns?kind=transactional").text
    assert client.get(f"/campaigns/{item['campaignId']}").status_code == 200
    assert (
        "Your order" in client.get(f"/subscribers/{ann}").text
        or "Order" in client.get(f"/subscribers/{ann}").text
    )


def test_lists_of_campaigns_do_not_show_them(
    world: World, listmonk: Listmonk, app: Flask, order: int, ann: int
) -> None:
    for _ in range(3):
        listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    world.runner.catch_up()
    assert listmonk.get("/api/campaigns")["total"] == 0
    assert listmonk.get("/api/campaigns/running/stats") == []
    assert listmonk.get("/api/dashboard/counts")["campaigns"]["total"] == 0
    assert "No campaign yet" in app.test_client().get("/campaigns").text
    assert len(campaigns(world)) == 1
    assert world.counts() == {"queued": 3}


def test_a_pause_holds_messages_and_a_cancel_is_for_those_that_were_asked_for(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    body = {"subscriber_id": ann, "template_id": order}
    listmonk.post("/api/tx", body)
    (first,) = campaigns(world)
    world.application.pause(first, by="test", reason="wait")
    listmonk.post("/api/tx", body)
    assert world.counts() == {"queued": 2}
    world.application.cancel(first, by="test", reason="never mind")
    listmonk.post("/api/tx", body)
    assert len(arrived(world, sink)) == 1
    assert world.counts() == {"sent": 1, "cancelled": 2}
    assert len(campaigns(world)) == 2


def test_a_changed_template_is_in_force_for_what_is_asked_for_from_then_on(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order, "data": {"order_id": 1}})
    listmonk.put(f"/api/templates/{order}", {"name": "Order", "type": "tx", "body": "<p>New words</p>"})
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order, "data": {"order_id": 2}})
    texts = sorted(message.get_content().strip() for message in arrived(world, sink, 2))
    assert texts == ["<p>Hi Ann, order 1 is on its way.</p>", "<p>New words</p>"]


def test_many_who_ask_at_once_get_a_message_each_and_share_a_campaign(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    def ask(number: int) -> bool:
        body = {"subscriber_id": ann, "template_id": order, "data": {"order_id": number}}
        return bool(listmonk.post("/api/tx", body))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(120)))
    texts = {message.get_content().strip() for message in arrived(world, sink, 120)}
    assert texts == {f"<p>Hi Ann, order {number} is on its way.</p>" for number in range(120)}
    assert not sink.duplicates()
    with world.pool.transaction() as cursor:
        assert [work.campaign for work in queue.campaigns_with_work(cursor)] == []
        assert queue.campaigns_to_queue(cursor) == []
    assert len(campaigns(world)) == 1


def test_a_repeated_request_is_sent_once(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    listmonk.headers["Idempotency-Key"] = "order-1234"
    body = {"subscriber_id": ann, "template_id": order}
    assert [listmonk.post("/api/tx", body) for _ in range(3)] == [True] * 3
    assert len(arrived(world, sink)) == 1


def test_projections_are_the_same_when_made_again(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    for _ in range(60):
        listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order})
    arrived(world, sink, 60)
    world.runner.catch_up()
    assert check(world.pool) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"template_id": None}, "template_id: a whole number is expected"),
        ({"template_id": 999}, "template_id: there is no template 999"),
        ({"subscriber_id": None}, "either subscriber_emails or subscriber_ids are needed"),
        ({"subscriber_email": "ann@example.com"}, "either subscriber_emails or subscriber_ids are needed"),
        ({"subscriber_ids": [1]}, "subscriber_id: is not to be given beside subscriber_ids"),
        ({"subscriber_id": 999}, "subscriber_id: there is no subscriber 999"),
        ({"subscriber_mode": "fallback"}, "subscriber_ids: not with the mode fallback"),
        ({"subscriber_mode": "external"}, "subscriber_ids: not with the mode external"),
        ({"subscriber_mode": "other"}, "subscriber_mode: one of"),
        ({"content_type": "pdf"}, "content_type: one of"),
        ({"messenger": "pigeon"}, "messenger: there is no messenger"),
        ({"subject": "{{ .Tx.Nothing }}"}, "subject, line 1: .Tx has Data alone"),
        ({"subject": "{{ tx.data.missing }}"}, "there is no 'missing'"),
        ({"subject": "a\nb"}, "Subject"),
        ({"altbody": "{{ unsubscribe_url }}"}, "'unsubscribe_url' is not defined"),
        ({"headers": [{"From": "me@example.com"}]}, "header From: is set for each message"),
        ({"headers": [{"Delivered-To": "me@example.com"}]}, "header Delivered-To: is set for each message"),
        ({"headers": [{"ARC-Seal": "i=1"}]}, "header ARC-Seal: is set for each message"),
        ({"headers": [{"X-A": "a\r\nBcc: b@example.com"}]}, "neither CR nor LF"),
        ({"headers": {"X-A": "a"}}, "headers: a list is expected"),
        ({"data": {"a": "\x00"}}, "data: they hold a NUL character"),
        ({"data": {"a": "x" * 70_000}}, "data: they are larger than 64 KB"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_changes_nothing(
    world: World, listmonk: Listmonk, order: int, ann: int, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ListmonkError) as refused:
        listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order, **changes})
    assert refused.value.status == 400
    assert message in refused.value.message
    assert campaigns(world) == []
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM transactional_requests")
        assert cursor.fetchone() == (0,)


def test_an_address_that_nobody_has_refuses_the_whole_request_without_being_quoted(
    world: World, listmonk: Listmonk, order: int, ann: int
) -> None:
    for other, wrong in (("new@example.com", "no subscriber has this address"), ("new@", "number 2: ")):
        body = {"subscriber_emails": ["ann@example.com", other], "template_id": order}
        with pytest.raises(ListmonkError, match="subscriber_emails: number 2") as refused:
            listmonk.post("/api/tx", body)
        assert wrong in refused.value.message
        assert "new" not in refused.value.message
    assert campaigns(world) == []


def test_a_template_for_campaigns_sends_no_messages(listmonk: Listmonk, ann: int) -> None:
    given = {"name": "Letter", "type": "campaign", "body": "{{ content }}"}
    number = listmonk.post("/api/templates", given)["id"]
    with pytest.raises(ListmonkError, match=f"400: template_id: template {number} is not for"):
        listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": number})


def test_a_campaign_cannot_use_what_only_messages_have(listmonk: Listmonk) -> None:
    given = {"name": "Letter", "type": "campaign", "body": "{{ content }} {{ .Tx.Data.order_id }}"}
    with pytest.raises(ListmonkError, match="'tx' is not defined"):
        listmonk.post("/api/templates", given)


def test_a_form_with_data_is_taken_and_one_with_files_is_refused(
    world: World, listmonk: Listmonk, sink: Sink, app: Flask, order: int, ann: int
) -> None:
    fields = json.dumps({"subscriber_id": ann, "template_id": order, "data": {"order_id": 5}})
    client, multipart = app.test_client(), "multipart/form-data"
    sent = client.post("/api/tx", data={"data": fields}, content_type=multipart)
    assert (sent.status_code, sent.json) == (200, {"data": True})
    with_file = {"data": fields, "file": (BytesIO(b"%PDF"), "invoice.pdf")}
    refused = client.post("/api/tx", data=with_file, content_type=multipart)
    assert (refused.status_code, refused.json["message"]) == (400, "file: attachments are not offered")
    for wrong in ({}, {"data": "{"}, {"data": "[]"}):
        assert client.post("/api/tx", data=wrong, content_type=multipart).status_code == 400
    (message,) = arrived(world, sink)
    assert "order 5" in message.get_content()


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


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).strip()


def campaigns(world: World) -> list[int]:
    world.runner.catch_up()
    with world.pool.transaction() as cursor:
        return [one.campaign for one in campaign_progress.campaigns(cursor, transactional=True)]
