"""Templates for people."""

from __future__ import annotations

import html

import pytest
from flask.testing import FlaskClient

from tests.web.pages.forms import send
from tests.web.world import World
from web.pages.campaigns.templates import STARTER

FRAME = '<body><h1>Club</h1>{{ template "content" . }}<a href="{{ unsubscribe_url }}">out</a></body>'


def write(client: FlaskClient, name: str, body: str = FRAME, type: str = "campaign") -> str:
    return send(client, "/templates/new", name=name, type=type, subject="", body=body).location or ""


def test_the_first_one_is_the_default_and_is_seen_around_a_sample(client: FlaskClient, world: World) -> None:
    assert "No templates yet" in client.get("/templates").text
    assert "{{ content }}" in client.get("/templates/new").text
    page = client.get(write(client, "House style"))
    assert "House style" in page.text
    assert "default</span>" in page.text
    assert "Template created: House style" in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    preview = client.get("/templates/1/preview")
    seen = html.unescape(html.unescape(preview.text))
    assert "<h1>Club</h1>" in seen
    assert "this is where a campaign’s text goes" in seen
    assert "sandbox" in preview.headers["Content-Security-Policy"]


def test_the_frame_that_is_offered_can_be_kept_as_it_is(client: FlaskClient, world: World) -> None:
    write(client, "House style", STARTER)
    assert "A heading of the campaign" in client.get("/templates/1/preview").text


@pytest.mark.parametrize(
    "body",
    [
        "<p>no place</p>",
        "{{ content }}{{ content }}",
        " ",
        "{% if %}{{ content }}",
        "{{ nmae }}{{ content }}",
    ],
)
def test_a_frame_that_nothing_can_be_made_with_is_refused_and_kept_in_the_form(
    client: FlaskClient, world: World, body: str
) -> None:
    refused = send(client, "/templates/new", name="House <style>", type="campaign", subject="", body=body)
    assert refused.status_code == 400
    assert 'id="fault-body"' in refused.text
    assert "House &lt;style&gt;" in refused.text
    assert html.escape(body.strip()) in refused.text
    assert "No templates yet" in client.get("/templates").text


def test_what_is_typed_is_previewed_for_a_subscriber(client: FlaskClient, world: World) -> None:
    send(client, "/subscribers/new", email="ada@example.org", name="Ada Lovelace", attributes="{}")
    asked = {"type": "campaign", "subject": "", "body": "<p>{{ subscriber.name }}</p>{{ content }}"}
    assert "Ada Lovelace" in send(client, "/templates/preview", like="ada@example.org", **asked).text
    wrong = send(client, "/templates/preview", **{**asked, "body": "{% if %}{{ content }}"}).text
    assert "trouble" in wrong
    assert "must occur once" in send(client, "/templates/preview", **{**asked, "body": "x"}).text


def test_another_one_is_made_the_default_and_the_first_deleted(client: FlaskClient, world: World) -> None:
    write(client, "First")
    write(client, "Second")
    send(client, "/templates/1/delete")
    assert "cannot be deleted" in client.get("/templates/1").text
    send(client, "/templates/2/default")
    assert "Set as the default template." in client.get("/templates/2").text
    assert "cannot be undone" in client.get("/templates/1/delete").text
    send(client, "/templates/1/delete")
    shown = client.get("/templates").text
    assert "First" not in shown
    assert "Second" in shown
    assert client.get("/templates/1", headers={"Accept": "text/html"}).status_code == 404


def test_it_is_edited_but_stays_what_it_is_for(client: FlaskClient, world: World) -> None:
    write(client, "Receipt", "<p>Paid</p>", "campaign_visual")
    send(client, "/templates/1/edit", name="Receipts", type="tx", subject="", body="<p>Paid.</p>")
    page = client.get("/templates/1").text
    assert "Receipts" in page
    assert "&lt;p&gt;Paid.&lt;/p&gt;" in page
    assert "starter content" in page.lower()
    assert "Set as default" not in page
    assert "Edited: body, name" in page
