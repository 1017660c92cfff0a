"""Templates and what campaigns have of them, through a client of listmonk."""

from __future__ import annotations

import pytest

from tests.listmonk.client import Listmonk, ListmonkError
from tests.listmonk.letters import LETTER, create, preview


def test_templates_live_as_in_the_documentation(listmonk: Listmonk, letter: int) -> None:
    first = listmonk.get(f"/api/templates/{letter}")
    assert (first["name"], first["type"], first["body"], first["is_default"]) == (
        "Letter",
        "campaign",
        LETTER,
        True,
    )
    other = listmonk.post("/api/templates", {"name": "Other", "type": "campaign", "body": "{{ content }}"})
    assert not other["is_default"]
    assert [one["name"] for one in listmonk.get("/api/templates")] == ["Letter", "Other"]
    assert [one["body"] for one in listmonk.get("/api/templates", no_body="true")] == ["", ""]
    assert "<p>Hi there</p>" in listmonk.raw("GET", f"/api/templates/{letter}/preview", {}).decode()
    changed = listmonk.put(
        f"/api/templates/{letter}", {"name": "Letters", "type": "campaign", "body": LETTER}
    )
    assert changed["name"] == "Letters"
    after = listmonk.put(f"/api/templates/{other['id']}/default")
    assert [one["is_default"] for one in after] == [False, True]
    with pytest.raises(ListmonkError, match="409: the default template cannot be deleted"):
        listmonk.delete(f"/api/templates/{other['id']}")
    assert listmonk.delete(f"/api/templates/{letter}") is True
    with pytest.raises(ListmonkError, match="404"):
        listmonk.get(f"/api/templates/{letter}")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<p>No place</p>", "must occur once, not nowhere"),
        ("{{ content }}{{ content }}", "once, not 2"),
        ('{{ template "content" . }}\n{{ sha1sum .Subscriber.Email }}', "line 2: the function sha1sum"),
        ("{{ content }}\n\n{% if %}", "line 3"),
    ],
)  # fmt: skip
def test_a_template_that_nothing_can_be_made_of_is_refused(
    listmonk: Listmonk, body: str, reason: str
) -> None:
    with pytest.raises(ListmonkError) as refused:
        listmonk.post("/api/templates", {"name": "Letter", "type": "campaign", "body": body})
    assert refused.value.status == 400
    assert reason in refused.value.message
    assert listmonk.get("/api/templates") == []


def test_what_is_written_is_read_back_and_what_is_sent_has_its_template(
    listmonk: Listmonk, friends: int, letter: int
) -> None:
    body = '<p>{{ if eq .Subscriber.Attribs.city "Oslo" }}Come over{{ else }}Far away{{ end }}</p>'
    made = create(
        listmonk, friends, body=body, altbody="Hi {{ .Subscriber.Name }}", template_id=letter,
        headers=[{"X-Custom": "{{ .Subscriber.UUID }}"}], attribs={"place": "Oslo"},
    )  # fmt: skip
    assert (made["body"], made["altbody"], made["template_id"]) == (body, "Hi {{ .Subscriber.Name }}", letter)
    assert (made["headers"], made["attribs"]) == ([{"X-Custom": "{{ .Subscriber.UUID }}"}], {"place": "Oslo"})
    assert listmonk.get(f"/api/campaigns/{made['id']}") == made
    assert preview(listmonk, made["id"]).strip() in {
        f"<html><body>Hi {name}! <p>Come over</p> </body></html>" for name in ("Ann", "Bob")
    }


def test_the_default_template_is_taken_unless_it_is_said_otherwise(
    listmonk: Listmonk, friends: int, letter: int
) -> None:
    assert create(listmonk, friends)["template_id"] == letter
    assert create(listmonk, friends, template_id=None)["template_id"] == letter
    assert create(listmonk, friends, template_id=0)["template_id"] == 0
    plain = create(listmonk, friends, content_type="plain", body="Just text")
    assert (plain["template_id"], plain["content_type"], plain["body"]) == (0, "plain", "Just text")
    assert preview(listmonk, plain["id"]).strip() == "Just text"


def test_a_template_that_changes_takes_drafts_along_and_leaves_what_was_started(
    listmonk: Listmonk, friends: int, letter: int
) -> None:
    draft, started = create(listmonk, friends)["id"], create(listmonk, friends)["id"]
    listmonk.put(f"/api/campaigns/{started}/status", {"status": "running"})
    listmonk.put(f"/api/templates/{letter}", {"name": "Letter", "body": "<b>{{ content }}</b>"})
    assert preview(listmonk, draft).strip() == "<b><p>News</p></b>"
    assert preview(listmonk, started).startswith("<html><body>Hi")
    listmonk.put(f"/api/campaigns/{draft}", {"body": "<p>Later news</p>"})
    assert preview(listmonk, draft).strip() == "<b><p>Later news</p></b>"
