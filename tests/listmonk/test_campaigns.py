"""Campaigns, through a client of listmonk."""

from __future__ import annotations

import json
from typing import Any

import pytest

from postledger.sink.sink import Sink
from storage.postgres.pool import Pool
from tests.listmonk.client import Listmonk, ListmonkError
from tests.listmonk.letters import create, preview
from tests.web.world import World


def test_the_campaign_of_the_documentation_is_made_without_a_body(listmonk: Listmonk, friends: int) -> None:
    made = listmonk.post("/api/campaigns", {
        "name": "Test campaign", "subject": "Hello, world", "lists": [friends], "content_type": "richtext",
        "from_email": "listmonk <noreply@listmonk.yoursite.com>", "messenger": "email", "type": "regular",
        "tags": ["test"],
    })  # fmt: skip
    assert made["lists"] == [{"id": friends, "name": "Friends"}]
    expected = {"name": "Test campaign", "subject": "Hello, world", "body": "", "altbody": None,
                "send_at": None, "status": "draft", "content_type": "richtext", "tags": ["test"],
                "views": 0, "clicks": 0, "bounces": 0, "started_at": None, "sent": 0, "type": "regular",
                "headers": [], "attribs": {},
                "template_id": 0, "body_source": None}  # fmt: skip
    assert {name: made[name] for name in expected} == expected


def test_markdown_becomes_html_and_keeps_its_tags(listmonk: Listmonk, friends: int) -> None:
    source = '# Hi {{ .Subscriber.FirstName }}\n\n[bye]({{ UnsubscribeURL }}) {{ if eq 1 1 }}"yes"{{ end }}'
    made = create(listmonk, friends, content_type="markdown", body=source, template_id=0)
    assert (made["body"], made["content_type"]) == (source, "markdown")
    shown = preview(listmonk, made["id"])
    assert "<h1>Hi Ann</h1>" in shown or "<h1>Hi Bob</h1>" in shown
    assert '<a href="http' in shown


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"body": "a\n{{ if .Subscriber.Name }}"}, "line 2: {{ if }} has no {{ end }}"),
        ({"body": "{{ nothing }}"}, "'nothing' is not defined"),
        ({"subject": "{{ .Subscriber.Age }}"}, "subject"),
        ({"altbody": "{% for %}"}, "text"),
        ({"headers": [{"Bcc": "x@example.com"}]}, "Bcc"),
        ({"lists": []}, "lists"),
        ({"template_id": 99}, "there is no template 99"),
        ({"lists": [1, 99]}, "lists: there is no list 99"),
        ({"messenger": "pigeon"}, "there is no messenger 'pigeon'"),
        ({"send_at": "2020-01-01T00:00:00Z"}, "not in the future"),
        ({"type": "optin"}, "type"),
        ({"media": [1]}, "media"),
        ({"name": ""}, "name"),
    ],
)
def test_a_campaign_that_could_not_be_sent_is_refused(
    listmonk: Listmonk, friends: int, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ListmonkError) as refused:
        create(listmonk, friends, **fields)
    assert refused.value.status == 400
    assert reason in refused.value.message
    assert listmonk.get("/api/campaigns")["total"] == 0


def test_a_list_that_is_deleted_stays_in_a_campaign_and_comes_into_no_other(
    listmonk: Listmonk, friends: int
) -> None:
    gone = listmonk.post("/api/lists", {"name": "Gone"})["id"]
    had, other = create(listmonk, friends, lists=[friends, gone]), create(listmonk, friends)
    listmonk.delete(f"/api/lists/{gone}")
    both = {"lists": [friends, gone], "name": "Renamed"}
    assert listmonk.put(f"/api/campaigns/{had['id']}", both)["name"] == "Renamed"
    with pytest.raises(ListmonkError, match="400: lists: there is no list"):
        listmonk.put(f"/api/campaigns/{other['id']}", both)


def test_campaigns_are_listed_filtered_and_ordered(listmonk: Listmonk, friends: int) -> None:
    for name, tags in [("Alpha", ["spring"]), ("Beta", ["spring", "sale"]), ("Gamma", [])]:
        create(listmonk, friends, name=name, tags=tags)
    listmonk.put("/api/campaigns/3/status", {"status": "running"})

    def names(**parameters: Any) -> list[str]:
        return [one["name"] for one in listmonk.get("/api/campaigns", **parameters)["results"]]

    assert names() == ["Gamma", "Beta", "Alpha"]
    assert names(order_by="name", order="ASC", per_page="all") == ["Alpha", "Beta", "Gamma"]
    assert names(status=["running", "paused"]) == ["Gamma"]
    assert names(tag=["spring", "sale"]) == ["Beta"]
    assert names(query="ALPH") == ["Alpha"]
    assert [one["body"] for one in listmonk.get("/api/campaigns", no_body="true")["results"]] == [""] * 3
    assert listmonk.get("/api/campaigns", status="finished") == {
        "results": [], "search": "", "query": "", "total": 0, "per_page": 0, "page": 0,
    }  # fmt: skip
    running = listmonk.get("/api/campaigns/running/stats", campaign_id=3)
    assert [(one["id"], one["status"], one["sent"]) for one in running] == [(3, "running", 0)]


def test_a_planned_campaign_is_scheduled_moved_and_made_a_draft_again(
    listmonk: Listmonk, friends: int
) -> None:
    made = create(listmonk, friends, send_at="2026-03-10T08:00:00+01:00")
    assert (made["status"], made["send_at"]) == ("draft", "2026-03-10T07:00:00.000Z")
    path = f"/api/campaigns/{made['id']}"
    assert listmonk.put(f"{path}/status", {"status": "scheduled"})["status"] == "scheduled"
    moved = listmonk.put(path, {"send_at": "2026-03-11T07:00:00Z"})
    assert (moved["status"], moved["send_at"]) == ("scheduled", "2026-03-11T07:00:00.000Z")
    back = listmonk.put(path, {"name": "Later", "send_at": None})
    assert (back["status"], back["send_at"], back["name"]) == ("draft", None, "Later")
    with pytest.raises(ListmonkError, match="400: send_at: needed"):
        listmonk.put(f"{path}/status", {"status": "scheduled"})


def test_a_draft_is_thrown_away_and_its_history_is_not(listmonk: Listmonk, friends: int, pool: Pool) -> None:
    draft, started = create(listmonk, friends)["id"], create(listmonk, friends)["id"]
    listmonk.put(f"/api/campaigns/{started}/status", {"status": "running"})
    assert listmonk.delete(f"/api/campaigns/{draft}") is True
    with pytest.raises(ListmonkError, match="404"):
        listmonk.get(f"/api/campaigns/{draft}")
    with pytest.raises(ListmonkError, match="409"):
        listmonk.delete("/api/campaigns", id=[started])
    assert [one["id"] for one in listmonk.get("/api/campaigns")["results"]] == [started]
    with pool.transaction() as cursor:
        cursor.execute("SELECT convert_from(state, 'UTF8') FROM events WHERE topic = 'campaign.cancelled'")
        (state,) = cursor.fetchone()
    assert json.loads(state)["reason"] == "discarded"


def test_a_campaign_runs_pauses_and_is_cancelled(listmonk: Listmonk, friends: int) -> None:
    path = f"/api/campaigns/{create(listmonk, friends)['id']}/status"
    for status in ("running", "paused", "running", "cancelled"):
        assert listmonk.put(path, {"status": status})["status"] == status
    with pytest.raises(ListmonkError, match="409"):
        listmonk.put(path, {"status": "running"})


def test_what_nobody_would_get_is_not_started(listmonk: Listmonk) -> None:
    empty = int(listmonk.post("/api/lists", {"name": "Nobody", "type": "private", "optin": "single"})["id"])
    campaign = create(listmonk, empty)["id"]
    with pytest.raises(ListmonkError, match=r"409.*none of the subscribers on its lists can be mailed"):
        listmonk.put(f"/api/campaigns/{campaign}/status", {"status": "running"})
    with pytest.raises(ListmonkError, match=r"409.*none of the subscribers on its lists can be mailed"):
        listmonk.put(
            f"/api/campaigns/{campaign}/status", {"status": "scheduled", "send_at": "2099-03-06T07:00:00Z"}
        )


def test_a_test_e_mail_has_what_was_not_kept(listmonk: Listmonk, friends: int, world: World) -> None:
    number = create(listmonk, friends)["id"]
    body = {"name": "Test campaign", "subject": "Trial", "lists": [friends], "content_type": "html",
            "type": "regular", "body": "<p>Hello {{ .Subscriber.FirstName }}</p>", "template_id": 0,
            "messenger": "email", "subscribers": ["ANN@example.com", "stranger@example.org"]}  # fmt: skip
    with pytest.raises(ListmonkError, match="409"):
        listmonk.post(f"/api/campaigns/{number}/test", body)
    with Sink() as sink:
        world.server("mail1", host="127.0.0.1", port=sink.port, tls_type="none", auth_protocol="none")
        world.shown()
        assert listmonk.post(f"/api/campaigns/{number}/test", body) is True
        sent = {message.rcpt_to[0]: message.message.decode() for message in sink.messages}
    assert set(sent) == {"ann@example.com", "stranger@example.org"}
    assert "Subject: Trial" in sent["ann@example.com"]
    assert "<p>Hello Ann</p>" in sent["ann@example.com"]
    assert listmonk.get(f"/api/campaigns/{number}")["body"] == "<p>News</p>"


def test_a_preview_may_run_nothing(listmonk: Listmonk, friends: int, app: Any) -> None:
    number = create(listmonk, friends, body="<script>alert(1)</script>")["id"]
    answer = app.test_client().get(f"/api/campaigns/{number}/preview")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    changed = app.test_client().post(
        f"/api/campaigns/{number}/preview",
        data={"body": "Hi {{ .Subscriber.Email }}", "content_type": "plain"},
    )
    assert (changed.mimetype, changed.text.strip()[:3]) == ("text/plain", "Hi ")


def test_a_change_meant_for_an_older_version_is_refused(listmonk: Listmonk, friends: int, app: Any) -> None:
    number = create(listmonk, friends)["id"]
    client = app.test_client()
    seen = client.get(f"/api/campaigns/{number}").headers["ETag"]
    listmonk.put(f"/api/campaigns/{number}", {"name": "Changed"})
    late = client.put(f"/api/campaigns/{number}", json={"name": "Late"}, headers={"If-Match": seen})
    assert late.status_code == 412
    assert listmonk.get(f"/api/campaigns/{number}")["name"] == "Changed"
