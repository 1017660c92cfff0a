"""Writing a campaign, and looking at it before anybody else does."""

from __future__ import annotations

import re

from domain.campaign.state import State
from storage import content
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.campaigns.writing import FORM, write
from tests.web.pages.reading import seen, told
from tests.web.world import World


def test_a_campaign_is_written_with_every_field(person: Browser, pool: Pool, people: list[int]) -> None:
    answer = write(person, priority="high")
    assert (answer.status_code, answer.location) == (303, "/campaigns/1")
    (event,) = told(pool, "campaign.created")
    assert {name: event[name] for name in ("name", "subject", "lists", "messenger", "priority", "by")} == {
        "name": "Spring letter", "subject": "Spring, {{ subscriber.first_name }}", "lists": [1],
        "messenger": None, "priority": "high", "by": "local",
    }  # fmt: skip
    assert event["headers"] == [["X-Campaign", "spring"], ["Reply-To", "desk@example.com"]]
    with pool.transaction() as cursor:
        assert content.text_of(cursor, event["html"]) == FORM["html"]
        assert content.text_of(cursor, event["text"]) == FORM["text"]
    page = seen(person.get("/campaigns/1").text)
    assert "saved as a draft" in page
    assert "Friends" in page
    assert "Campaign created: " in page


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(
    person: Browser, pool: Pool, people: list[int]
) -> None:
    answer = write(person, name="", lists=[], headers="no colon here", html="<p>kept</p>", text="")
    assert answer.status_code == 400
    assert "Line 1 is not like" in seen(answer.text)
    answer = write(person, name="", lists=[], headers="From: me@example.com", html="<p>kept</p>")
    text = seen(answer.text)
    for said in ("Is missing.", "At least one list is needed.", "From is set for each message"):
        assert said in text
    assert 'id="fault-name"' in answer.text
    assert 'aria-describedby="hint-name fault-name" aria-invalid="true"' in answer.text
    assert "&lt;p&gt;kept&lt;/p&gt;" in answer.text
    assert 'value="Spring, {{ subscriber.first_name }}"' in answer.text
    assert told(pool, "campaign.created") == []


def test_a_body_of_a_megabyte_is_taken_and_a_larger_one_refused_beside_its_field(
    person: Browser, people: list[int]
) -> None:
    assert write(person, html="ü" * 499_000).status_code == 303
    answer = write(person, html="ü" * 600_000)
    assert answer.status_code == 400
    assert "A text has at most 1,000,000 bytes" in seen(answer.text)


def test_a_draft_is_edited_and_a_started_campaign_is_not(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    write(person)
    page = person.get("/campaigns/1/edit").text
    assert "X-Campaign: spring" in page
    answer = person.post("/campaigns/1/edit", "/campaigns/1/edit", **{**FORM, "subject": "Summer"})
    assert (answer.status_code, answer.location) == (303, "/campaigns/1")
    assert told(pool, "campaign.edited")[0]["changes"] == {"subject": "Summer"}
    world.application.start(1, by="test")
    answer = person.post("/campaigns/1/edit", "/campaigns/1", **FORM)
    assert answer.status_code == 409
    assert "Copy it instead" in answer.text


def with_template(person: Browser) -> None:
    body = "<main>{{ content }}</main><footer>{{ unsubscribe_url }}</footer>"
    person.post("/templates/new", "/templates/new", name="Plain frame", type="campaign", body=body)


def test_a_body_stands_in_its_template_and_is_edited_without_it(
    person: Browser, pool: Pool, people: list[int]
) -> None:
    with_template(person)
    assert re.search(r'<option value="1" selected>Plain frame', person.get("/campaigns/new").text)
    write(person, template="1")
    (event,) = told(pool, "campaign.created")
    with pool.transaction() as cursor:
        assert content.text_of(cursor, event["body"]) == FORM["html"]
        assert content.text_of(cursor, event["html"]).startswith(f"<main>{FORM['html']}</main>")
    page = person.get("/campaigns/1/edit").text
    assert "&lt;p&gt;Hello {{ subscriber.first_name }}&lt;/p&gt;</textarea>" in page
    assert "&lt;main&gt;Hello" not in page
    person.post("/campaigns/1/edit", "/campaigns/1/edit", **{**FORM, "template": ""})
    changes = told(pool, "campaign.edited")[0]["changes"]
    with pool.transaction() as cursor:
        assert content.text_of(cursor, changes["html"]) == FORM["html"]
    assert changes["template"] is None


def test_markdown_is_previewed_and_sent_as_html(person: Browser, pool: Pool, people: list[int]) -> None:
    fields = {"content_type": "markdown", "html": "# Dear {{ subscriber.first_name }}", "text": ""}
    answer = person.post("/campaigns/preview", "/campaigns/new", **{**FORM, **fields}, like="p1@example.org")
    assert "&lt;h1&gt;Dear Ada&lt;/h1&gt;" in answer.text
    write(person, **fields)
    assert "# Dear {{ subscriber.first_name }}</textarea>" in person.get("/campaigns/1/edit").text
    (event,) = told(pool, "campaign.created")
    with pool.transaction() as cursor:
        assert content.text_of(cursor, event["html"]).startswith("<h1>Dear")


def test_a_text_alone_is_a_plain_message(person: Browser, pool: Pool, people: list[int]) -> None:
    with_template(person)
    write(person, html=" ", template="1")
    (event,) = told(pool, "campaign.created")
    assert event["html"] is None
    page = person.get("/campaigns/1/edit").text
    assert re.search(r'name="text"[^>]*>\nHello {{', page)
    assert re.search(r'name="html"[^>]*>\n</textarea>', page)
    answer = write(person, html="", text="")
    assert answer.status_code == 400
    assert "A text or an HTML body is needed." in seen(answer.text)


def test_a_draft_is_discarded_once_that_is_sure(person: Browser, world: World, people: list[int]) -> None:
    write(person)
    assert "can no longer be started" in seen(person.get("/campaigns/1/discard").text)
    answer = person.post("/campaigns/1/discard", "/campaigns/1/discard")
    assert answer.status_code == 303
    assert world.application.campaign(1).state is State.CANCELLED
    assert "discarded" in seen(person.get("/campaigns/1").text)


def test_a_copy_is_a_new_draft(person: Browser, pool: Pool, people: list[int]) -> None:
    write(person)
    answer = person.post("/campaigns/1/copy", "/campaigns/1")
    assert (answer.status_code, answer.location) == (303, "/campaigns/2/edit")
    first, second = told(pool, "campaign.created")
    assert second["name"] == "Spring letter (copy)"
    assert {k: v for k, v in first.items() if k not in ("name", "number", "timestamp")} == {
        k: v for k, v in second.items() if k not in ("name", "number", "timestamp")
    }


def test_what_is_typed_is_previewed_as_somebody_sees_it(person: Browser, people: list[int]) -> None:
    answer = person.post("/campaigns/preview", "/campaigns/new", **FORM, like="p1@example.org")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'"} <= set(policy.split("; "))
    assert "Spring, Ada" in answer.text
    assert 'srcdoc="&lt;p&gt;Hello Ada&lt;/p&gt;' in answer.text
    answer = person.post("/campaigns/preview", "/campaigns/new", **FORM, like=str(people[0]), part="text")
    assert "<pre>Hello Ada" in answer.text
    page = person.get("/campaigns/new")
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]


def test_a_preview_that_cannot_be_made_says_why(person: Browser, people: list[int]) -> None:
    fields = {**FORM, "html": "<p>{% if %}</p>"}
    assert "html, line 1" in person.post("/campaigns/preview", "/campaigns/new", **fields).text
    answer = person.post("/campaigns/preview", "/campaigns/new", **FORM, like="nobody@example.org")
    assert "there is no subscriber" in answer.text
    answer = person.post("/campaigns/preview", "/campaigns/new", **{**FORM, "headers": "oops"})
    assert "line 1 is not like" in answer.text


def test_a_kept_campaign_is_previewed(person: Browser, people: list[int]) -> None:
    write(person)
    assert "Spring, Ada" in person.get(f"/campaigns/1/preview?like={people[0]}").text
    assert person.get("/campaigns/9/preview").status_code == 404
