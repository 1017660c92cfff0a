"""What a request for a message is refused for."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

from postledger.sink.sink import Sink
from tests.listmonk.client import Listmonk, ListmonkError
from tests.listmonk.transactional.messages import arrived, campaigns
from tests.sending.world import World


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
        ({"data": {"a": "\x00"}}, "data.a: control characters are not taken"),
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
