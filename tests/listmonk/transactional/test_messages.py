"""Transactional messages, asked for by a client of listmonk and sent through a real SMTP server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from postledger.sink.sink import Sink
from projections.queue import queue
from tests.listmonk.client import Listmonk
from tests.listmonk.transactional.messages import arrived, campaigns, part, template
from tests.sending.world import World


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
