"""Transactional messages, asked for by a client of listmonk and sent through a real SMTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from postledger.config import load
from postledger.messages import CampaignMessages, parsed
from postledger.session import Session
from postledger.sink import Sink
from tests.listmonk.client import Listmonk, ListmonkError
from tests.sending.world import World, wait_until
from tests.web.world import KEY
from web.app import create_app
from web.settings import WebSettings

ORDER = "<p>Hi {{ .Subscriber.FirstName }}, order {{ .Tx.Data.order_id }} is on its way.</p>"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def app(world: World, tmp_path: Path) -> Iterator[Flask]:
    config = load({}, {"POSTLEDGER_DATABASE_URL": world.url, "POSTLEDGER_KEY": world.key}, tmp_path)
    messages = CampaignMessages(Session(config, world.url, world.pool, world.clock))
    made = create_app(
        world.pool,
        world.application,
        world.clock,
        settings=WebSettings(token_keys=[KEY], public_url="https://post.example.com"),
        preflight=messages.preflight,
        messages=messages,
    )
    yield made
    made.extensions["postledger.broadcast"].close()


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


def test_each_subscriber_of_a_list_gets_one_message_and_a_request_is_one_event(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    bob = listmonk.post("/api/subscribers", {"email": "bob@example.com", "name": "Bob", "status": "enabled"})
    asked = {"subscriber_ids": [ann, bob["id"], ann], "template_id": order, "data": {"order_id": 7}}
    assert listmonk.post("/api/tx", asked) is True
    messages = arrived(world, sink, 2)
    assert {str(message["To"]) for message in messages} == {
        "Ann Berg <ann@example.com>",
        "Bob <bob@example.com>",
    }
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM events WHERE topic = 'audience.recipients_queued'")
        assert cursor.fetchone() == (1,)


def test_requests_of_one_template_share_a_campaign_which_is_no_campaign_to_clients(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    for number in (1, 2):
        asked = {"subscriber_id": ann, "template_id": order, "data": {"order_id": number}}
        listmonk.post("/api/tx", asked)
    texts = sorted(message.get_content().strip() for message in arrived(world, sink, 2))
    assert texts == [f"<p>Hi Ann, order {number} is on its way.</p>" for number in (1, 2)]
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM events WHERE topic = 'campaign.created'")
        assert cursor.fetchone() == (1,)
    assert listmonk.get("/api/campaigns")["results"] == []


def test_a_message_has_no_link_to_unsubscribe_and_says_that_no_person_sent_it(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order, "data": {"order_id": 1}})
    (message,) = arrived(world, sink)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None
    assert message["Precedence"] is None


def test_subject_headers_text_and_markdown_are_the_request_s_own(
    world: World, listmonk: Listmonk, sink: Sink, ann: int
) -> None:
    number = template(listmonk, "# Order {{ .Tx.Data.order_id }}")
    listmonk.post("/api/tx", {
        "subscriber_id": ann, "template_id": number, "data": {"order_id": 9}, "content_type": "markdown",
        "subject": "Order {{ .Tx.Data.order_id }} left", "headers": [{"X-Order": "9"}],
        "altbody": "Order {{ .Tx.Data.order_id }}",
    })  # fmt: skip
    (message,) = arrived(world, sink)
    assert (message["Subject"], message["X-Order"]) == ("Order 9 left", "9")
    text, html = message.iter_parts()
    assert text.get_content().strip() == "Order 9"
    assert "<h1>Order 9</h1>" in html.get_content()


def test_whoever_is_blocklisted_gets_nothing_under_a_given_address_either(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    listmonk.put(f"/api/subscribers/{ann}/blocklist")
    asked = {"template_id": order, "data": {"order_id": 1}}
    listmonk.post("/api/tx", {**asked, "subscriber_id": ann})
    external = {**asked, "subscriber_mode": "external", "subscriber_emails": ["ann@example.com"]}
    listmonk.post("/api/tx", external)
    with world.sending():
        wait_until(lambda: world.counts() == {"suppressed": 2})
    assert sink.messages == []


@pytest.mark.parametrize("mode", ["fallback", "external"])
def test_an_address_that_nobody_has_is_mailed_in_the_modes_for_it(
    world: World, listmonk: Listmonk, sink: Sink, mode: str
) -> None:
    number = template(listmonk, "<p>Code {{ .Tx.Data.code }}</p>")
    asked = {"template_id": number, "data": {"code": "x1"}, "subscriber_mode": mode}
    listmonk.post("/api/tx", {**asked, "subscriber_emails": ["New@Example.org"]})
    (message,) = arrived(world, sink)
    assert message["To"] == "new@example.org"
    assert listmonk.get("/api/subscribers")["total"] == 0


def test_what_a_message_says_and_to_whom_is_not_in_the_log(
    world: World, listmonk: Listmonk, sink: Sink, order: int
) -> None:
    asked = {"template_id": order, "data": {"order_id": "secret-order"}, "subscriber_mode": "external"}
    with pytest.raises(ListmonkError):  # the template asks for the name of a subscriber
        listmonk.post("/api/tx", {**asked, "subscriber_emails": ["no address"]})
    listmonk.post("/api/tx", {**asked, "subscriber_emails": ["new@example.org"]})
    arrived(world, sink)
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT string_agg(convert_from(state, 'UTF8'), ' ') FROM events")
        (log,) = cursor.fetchone()  # type: ignore[misc]
    assert "secret-order" not in log
    assert "new@example.org" not in log


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"template_id": 99}, "there is no template 99"),
    ({"subscriber_id": 99}, "there is no subscriber 99"),
    ({"subscriber_id": None, "subscriber_email": "who@example.com"}, "no subscriber has this address"),
    ({"subscriber_id": None}, "either subscriber_emails or subscriber_ids are needed"),
    ({"subscriber_mode": "external"}, "not with the mode external"),
    ({"headers": [{"Subject": "mine"}]}, "Subject"),
    ({"subject": "one\r\ntwo: x"}, "Subject"),
    ({"content_type": "pdf"}, "content_type"),
    ({"messenger": "nowhere"}, "nowhere"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_request_is_refused_and_leaves_nothing(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int, changes: dict[str, Any], said: str
) -> None:
    asked = {"subscriber_id": ann, "template_id": order, "data": {"order_id": 1}, **changes}
    with pytest.raises(ListmonkError, match=said) as refused:
        listmonk.post("/api/tx", asked)
    assert refused.value.status == 400
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM transactional_messages), "
                       "(SELECT count(*) FROM events WHERE topic LIKE 'audience.%')")  # fmt: skip
        assert cursor.fetchone() == (0, 0)


def test_a_template_of_campaigns_and_a_file_are_refused(
    listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    given = {"name": "Letter", "type": "campaign", "body": '{{ template "content" . }}'}
    letter = listmonk.post("/api/templates", given)["id"]
    asked = {"subscriber_id": ann, "data": {"order_id": 1}}
    with pytest.raises(ListmonkError, match="not for transactional messages"):
        listmonk.post("/api/tx", {**asked, "template_id": letter})
    whole = {"data": json.dumps({**asked, "template_id": order})}
    with pytest.raises(ListmonkError, match="attachments are not offered"):
        listmonk.upload("/api/tx", whole, "bill.csv", b"a,b")


def test_a_request_sent_again_with_its_key_has_one_effect(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    listmonk.headers["Idempotency-Key"] = "one-order"
    asked = {"subscriber_id": ann, "template_id": order, "data": {"order_id": 1}}
    assert listmonk.post("/api/tx", asked) is True
    assert listmonk.post("/api/tx", asked) is True
    assert len(arrived(world, sink)) == 1


def test_a_message_whose_person_is_erased_before_it_goes_is_not_sent(
    world: World, listmonk: Listmonk, sink: Sink, order: int, ann: int
) -> None:
    listmonk.post("/api/tx", {"subscriber_id": ann, "template_id": order, "data": {"order_id": "private"}})
    listmonk.delete(f"/api/subscribers/{ann}")
    with world.sending():
        wait_until(lambda: world.counts() == {"suppressed": 1})
    assert sink.messages == []
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT data FROM transactional_requests")
        assert cursor.fetchall() == [({},)]
