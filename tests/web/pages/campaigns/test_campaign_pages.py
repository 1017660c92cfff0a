"""The campaign pages: writing, previewing, estimating, starting, watching, steering."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.campaign.state import State
from domain.campaign.test_send import SendTestStarted
from domain.clock import VirtualClock
from domain.streams import trial_stream
from postledger.sink.sink import Sink
from postledger.sink.sink_rules import SinkRule
from storage import content
from storage.log.append import Log
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.reading import seen, told
from tests.web.world import NOON, World

FORM: dict[str, Any] = {
    "name": "Spring letter",
    "subject": "Spring, {{ subscriber.first_name }}",
    "lists": ["1"],
    "html": "<p>Hello {{ subscriber.first_name }}</p>",
    "text": "Hello {{ subscriber.first_name }}",
    "messenger": "",
    "priority": "normal",
    "headers": "X-Campaign: spring\nReply-To: desk@example.com\n",
    "send_at": "",
}


@pytest.fixture
def people(world: World) -> list[int]:
    """Five, on the list Friends, which is number 1; the first is Ada Lovelace of Turin."""
    numbers = world.people(5)
    with world.pool.transaction() as cursor:
        cursor.execute(
            "UPDATE recipients SET name = 'Ada Lovelace', attributes = '{\"city\": \"Turin\"}'"
            " WHERE number = %s",
            (numbers[0],),
        )
    return numbers


def write(person: Browser, **changes: Any) -> Any:
    return person.post("/campaigns/new", "/campaigns/new", **{**FORM, **changes})


def many_people(world: World, count: int) -> None:
    friends = world.directory.list("Friends")
    with world.pool.transaction() as cursor:
        cursor.execute(
            "WITH made AS (INSERT INTO recipients (email) SELECT 'r' || n || '@example.org'"
            " FROM generate_series(1, %s) n RETURNING number)"
            " INSERT INTO subscriptions (list, recipient, status) SELECT %s, number, 'confirmed' FROM made",
            (count, friends),
        )


def rows(page: str) -> list[list[str]]:
    """The cells of all tables' bodies, row by row."""
    bodies = "".join(re.findall("<tbody>.*?</tbody>", page, re.DOTALL))
    return [
        [
            re.sub(r"\s+", " ", re.sub("<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr.*?</tr>", bodies, re.DOTALL)
    ]


def test_without_campaigns_the_list_says_what_to_do_first(person: Browser) -> None:
    page = person.get("/campaigns").text
    assert "No campaign yet" in seen(page)
    assert 'href="/campaigns/new"' in page


def test_the_list_is_filtered_searched_and_paged(person: Browser, world: World) -> None:
    for number in range(1, 23):
        world.campaign(f"Letter {number}")
    world.application.start(3, by="test")
    world.shown()
    first = seen(person.get("/campaigns").text)
    assert "Letter 22" in first
    assert "Letter 2 " not in first
    assert "Page 1 of 2, 22 campaigns" in first
    assert "Letter 2 " in seen(person.get("/campaigns?page=2").text)
    assert "Letter 3 " in seen(person.get("/campaigns?status=running").text)
    assert "Letter 4 " not in seen(person.get("/campaigns?status=running").text)
    found = seen(person.get("/campaigns?search=letter+22").text)
    assert "Letter 22" in found
    assert "Letter 21" not in found
    assert "No campaign is like that" in seen(person.get("/campaigns?search=%25").text)


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
    assert "kept as a draft" in page
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
    assert "cannot be started any more" in seen(person.get("/campaigns/1/discard").text)
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
    assert "no subscriber is called" in answer.text
    answer = person.post("/campaigns/preview", "/campaigns/new", **{**FORM, "headers": "oops"})
    assert "line 1 is not like" in answer.text


def test_a_kept_campaign_is_previewed(person: Browser, people: list[int]) -> None:
    write(person)
    assert "Spring, Ada" in person.get(f"/campaigns/1/preview?like={people[0]}").text
    assert person.get("/campaigns/9/preview").status_code == 404


def send_test(person: Browser, addresses: str, **fields: Any) -> str:
    answer = person.post("/campaigns/1/test", "/campaigns/1", addresses=addresses, **fields)
    assert answer.status_code == 303, answer.text
    return seen(person.get("/campaigns/1").text)


def test_a_test_e_mail_goes_out_counts_and_is_on_record_without_its_address(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Sink() as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=3)
        write(person)
        text = send_test(person, "me@example.net, p1@example.org")
        assert "Accepted by alpha: me@example.net, p1@example.org" in text
        assert [message.rcpt_to for message in sink.messages] == [("me@example.net",), ("p1@example.org",)]
        assert b"Hello Ada" in sink.messages[1].message
    assert [state["n"] for state in told(pool, "capacity.reserved")] == [2]
    first, second = told(pool, "campaign.tried")
    assert (first["outcome"], first["by"], first.get("recipient")) == ("accepted", "local", None)
    assert second["recipient"] == people[0]
    assert "@" not in str(first) + str(second)
    assert "A test e-mail through alpha: accepted" in text


def test_a_test_takes_the_name_of_who_was_named_and_is_no_copy_of_the_real_one(
    person: Browser, world: World, people: list[int]
) -> None:
    with Sink() as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none")
        write(person)
        send_test(person, "me@example.net", model="p1@example.org")
        send_test(person, "p1@example.org")
        assert b"Hello Ada" in sink.messages[0].message
        ids = [message.message_id for message in sink.messages]
    assert all(one.startswith("<c1.r0.") for one in ids)
    assert len(set(ids)) == 2


def test_a_test_e_mail_that_does_not_go_out_says_why(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Sink() as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=1)
        off = world.server("beta", enabled=False)
        write(person)
        assert "an address is needed" in send_test(person, " ")
        assert "at most 10 addresses, these are 11" in send_test(
            person, " ".join(f"a{n}@b.example" for n in range(11))
        )
        assert "'nonsense' is not an e-mail address" in send_test(person, "nonsense")
        assert "no subscriber is called 'nobody'" in send_test(person, "a@b.example", model="nobody")
        world.directory.people.set_status([people[0]], "blocklisted", by="test")
        assert "the address is blocklisted" in send_test(person, "p1@example.org")
        assert "no server has capacity left" in send_test(person, "a@b.example", server=str(off))
        assert sink.messages == []
        text = send_test(person, "a@b.example c@d.example")
        assert "Accepted by alpha: a@b.example" in text
        assert "c@d.example: not sent" in text
        assert len(sink.messages) == 1


class Witness(Sink):
    """A mail server that looks what is on record at each MAIL FROM."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.on_record: list[tuple[int, int]] = []

    def attempted(self, at: float, mail_from: str) -> None:
        kinds = ("campaign.test_started", "campaign.tried")
        started, ended = (len(told(self._pool, kind)) for kind in kinds)
        self.on_record.append((started, ended))
        super().attempted(at, mail_from)


def test_a_test_e_mail_is_on_record_before_a_server_hears_of_it(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Witness(pool) as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=9)
        write(person)
        send_test(person, "me@example.net p1@example.org")
    assert sink.on_record == [(1, 0), (2, 1)]
    starts, ends = told(pool, "campaign.test_started"), told(pool, "campaign.tried")
    assert [end["started"] for end in ends] == [1, 3]
    assert [end.get("recipient") for end in ends] == [None, people[0]]
    assert [start.get("recipient") for start in starts] == [None, people[0]]
    text = seen(person.get("/campaigns/1").text)
    assert text.count("A test e-mail through alpha") == 2


def test_a_test_e_mail_whose_end_nobody_lived_to_record_is_of_unknown_outcome(
    person: Browser, world: World, people: list[int]
) -> None:
    world.server("alpha")
    write(person)
    start = SendTestStarted(
        originator_id=trial_stream(1), originator_version=1, by="user:ada", server=1, reservation=1
    )
    Log(world.pool, world.clock).append([start.stored()])
    assert "A test e-mail through alpha: unknown" in seen(person.get("/campaigns/1").text)


class Hasty(Sink):
    """A mail server at which time flies: each e-mail takes a minute of the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.now = self._later
        self._clock = clock

    def _later(self) -> float:
        self._clock.advance_to(self._clock.now() + timedelta(minutes=1))
        return self._clock.now().timestamp()


def test_what_was_reserved_is_reserved_again_when_a_server_takes_its_time(
    person: Browser, pool: Pool, world: World, clock: VirtualClock, people: list[int]
) -> None:
    with Hasty(clock) as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=10)
        write(person)
        text = send_test(person, "a@b.example c@d.example e@f.example")
        assert "Accepted by alpha: a@b.example, c@d.example, e@f.example" in text
    assert [state["n"] for state in told(pool, "capacity.reserved")][:2] == [3, 1]
    reserved = sum(state["n"] for state in told(pool, "capacity.reserved"))
    returned = sum(state.get("unused", 0) for state in told(pool, "capacity.returned"))
    assert reserved - returned == 3


def test_a_refused_test_e_mail_tells_the_reply(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    with Sink(rules=(SinkRule("rcpt", reply="550 5.1.1 <me@example.net> unknown"),)) as sink:
        world.server("alpha", host="127.0.0.1", port=sink.port, tls_type="none", daily_limit=3)
        write(person)
        text = send_test(person, "me@example.net")
    assert "me@example.net: refused by alpha. 550 5.1.1 <recipient> unknown" in text
    assert [state["outcome"] for state in told(pool, "campaign.tried")] == ["refused"]
    assert told(pool, "capacity.returned")[0]["refused"] == 1


def test_the_estimate_tells_the_days_before_the_start(person: Browser, world: World) -> None:
    """The example of the requirements, in a time zone whose day is as far as the clock's."""
    world.application.change_policy({"windows": "08:00-20:00"}, by="test")
    world.clock.advance_to(datetime(2026, 3, 5, 6, 0, tzinfo=UTC))
    many_people(world, 100_000)
    for number in range(1, 31):
        world.server(f"mail{number:02}", daily_limit=1000)
    world.campaign()
    world.shown()
    page = person.get("/campaigns/1/start").text
    assert "Completes in 4 days" in seen(page)
    assert "100,000 e-mails, the last one on Sunday 8 March" in seen(page)
    table = rows(page)
    assert [row[:2] for row in table[:4]] == [
        ["Thursday 5 March", "30,000"], ["Friday 6 March", "30,000"],
        ["Saturday 7 March", "30,000"], ["Sunday 8 March", "10,000"],
    ]  # fmt: skip
    assert table[4] == ["mail01", "1,000", "1,000", "1,000", "334", "3,334"]
    assert "The daily limits of the servers" in seen(page)
    assert "3,400 more a day Saturday 7 March" in seen(page)


def test_recipients_of_several_large_lists_are_told_as_about_so_many(person: Browser, world: World) -> None:
    many_people(world, 30_000)
    others = world.directory.list("Others")
    with world.pool.transaction() as cursor:
        cursor.execute(
            "INSERT INTO subscriptions (list, recipient, status)"
            " SELECT %s, number, 'confirmed' FROM recipients",
            (others,),
        )
    world.server("mail1")
    world.application.edit_campaign(world.campaign(), {"lists": [1, others]}, by="test")
    world.shown()
    assert "About 30,000 e-mails, the last one on" in seen(person.get("/campaigns/1/start").text)


def test_the_estimate_for_a_later_start_is_a_link(person: Browser, world: World, people: list[int]) -> None:
    world.server("alpha", daily_limit=2)
    write(person)
    answer = person.post(
        "/campaigns/1/start", "/campaigns/1/start", then="estimate", send_at="2026-03-09T10:00"
    )
    assert answer.location == "/campaigns/1/start?send_at=2026-03-09T10:00"
    page = person.get(answer.location).text
    assert [row[:2] for row in rows(page)[:3]] == [
        ["Monday 9 March", "2"], ["Tuesday 10 March", "2"], ["Wednesday 11 March", "1"],
    ]  # fmt: skip
    assert "Completes in 8 days" in seen(page)


def test_starting_keeps_what_was_foreseen(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    world.server("alpha", daily_limit=2)
    write(person)
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", when="now")
    assert (answer.status_code, answer.location) == (303, "/campaigns/1")
    assert world.application.campaign(1).state is State.RUNNING
    (estimate,) = told(pool, "campaign.estimated")
    assert (estimate["recipients"], estimate["days"], estimate["by"]) == (5, 3, "local")
    finish = datetime.fromtimestamp(estimate["finish"], UTC)
    assert finish.date() == (NOON + timedelta(days=2)).date()
    text = seen(person.get("/campaigns/1").text)
    assert "Foreseen at the start 2026-03-06" in text
    assert "Done about 2026-03-06" in text


def test_the_current_estimate_stands_beside_the_first(
    person: Browser, world: World, people: list[int]
) -> None:
    world.server("alpha", daily_limit=2)
    write(person)
    person.post("/campaigns/1/start", "/campaigns/1/start", when="now")
    world.application.change_server(1, {"daily_limit": 1}, by="test")
    world.shown()
    text = seen(person.get("/campaigns/1/live").text)
    assert "Done about 2026-03-08" in text
    assert "now 2 days later" in text


def test_what_would_fail_or_reach_nobody_is_not_started(
    person: Browser, world: World, people: list[int]
) -> None:
    world.server("alpha")
    write(person, html="<p>{{ subscriber.attributes.town }}</p>{% if %}", text="")
    page = person.get("/campaigns/1/start").text
    assert "do not work for everybody" in seen(page)
    assert re.search(r"<button[^>]* disabled", page)
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", when="now")
    assert answer.status_code == 400
    assert "The campaign cannot be started" in seen(answer.text)
    write(person, lists=[str(world.directory.list("Nobody"))])
    answer = person.post("/campaigns/2/start", "/campaigns/2/start", when="now")
    assert answer.status_code == 400
    assert "nobody on its lists can be mailed" in seen(answer.text)
    assert all(world.application.campaign(number).state is State.DRAFT for number in (1, 2))


def test_a_start_time_is_set_in_the_zone_of_the_policy_and_taken_back(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    world.application.change_policy({"timezone": "Europe/Berlin"}, by="test")
    world.server("alpha")
    answer = write(person, send_at="2026-03-06T08:00")
    assert answer.location == "/campaigns/1/start?send_at=2026-03-06T08:00"
    start = {"when": "later", "send_at": "2026-03-06T08:00"}
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", **start)
    assert answer.status_code == 303
    assert told(pool, "campaign.scheduled")[0]["send_at"] == "2026-03-06T07:00:00+00:00"
    assert told(pool, "campaign.estimated")[0]["first"] == datetime(2026, 3, 6, 7, tzinfo=UTC).timestamp()
    assert "Campaign to start at 2026-03-06 07:00" in seen(person.get("/campaigns/1").text)
    person.post("/campaigns/1/unschedule", "/campaigns/1")
    assert world.application.campaign(1).state is State.DRAFT


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("2026-03-01T08:00", "This is not in the future."),
        ("tomorrow", "This is no date and time."),
        ("", "When is it to start?"),
    ],
)
def test_a_start_time_that_is_none_is_refused_beside_its_field(
    person: Browser, world: World, people: list[int], typed: str, said: str
) -> None:
    write(person)
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", when="later", send_at=typed)
    assert answer.status_code == 400
    assert said in seen(answer.text)
    assert world.application.campaign(1).state is State.DRAFT


@pytest.fixture
def under_way(world: World, people: list[int]) -> list[int]:
    """Campaign 1: one sent, one failed, one to be tried again, one unknown, one waiting."""
    alpha, beta = world.server("alpha"), world.server("beta")
    world.queued(world.campaign(), people)
    world.accepted(1, people[0], alpha)
    world.failed(1, people[1], beta, "550 5.1.1 No such user u17@example.org here")
    world.deferred(1, people[2], alpha, NOON + timedelta(hours=1))
    world.unknown(1, people[3], beta)
    world.shown()
    return people


def test_the_page_tells_what_became_of_each(person: Browser, under_way: list[int]) -> None:
    page = person.get("/campaigns/1").text
    text = seen(page)
    for said in (
        "Queued 1 20 %", "Sending 0", "Sent 1 20 %", "To be tried again 1 20 %", "Failed 1 20 %",
        "Unknown 1 20 %", "60 %",
    ):  # fmt: skip
        assert said in text
    assert ["alpha", "1", "0", "1", "0"] in [row[:5] for row in rows(page)]
    assert ["beta", "0", "1", "0", "1"] in [row[:5] for row in rows(page)]
    assert "1 550 5.1.1 No such user … here failed, about the recipient" in text
    assert 'data-refresh="/campaigns/1/live"' in page
    live = person.get("/campaigns/1/live")
    assert seen(live.text) in text
    assert "<html" not in live.text


@pytest.mark.parametrize(
    ("step", "state", "topic"), [("pause", "paused", "paused"), ("cancel", "cancelled", "cancelled")]
)
def test_pausing_and_cancelling_ask_first_and_keep_the_reason(
    person: Browser, pool: Pool, world: World, under_way: list[int], step: str, state: str, topic: str
) -> None:
    question = person.get(f"/campaigns/1/{step}").text
    assert "Reason" in question
    assert "wait" in seen(question)
    assert world.application.campaign(1).state is State.RUNNING
    answer = person.post(f"/campaigns/1/{step}", f"/campaigns/1/{step}", reason="A wrong link")
    assert (answer.status_code, answer.location) == (303, "/campaigns/1")
    assert world.application.campaign(1).state == state
    (event,) = told(pool, f"campaign.{topic}")
    assert (event["reason"], event["by"]) == ("A wrong link", "local")
    assert "A wrong link" in seen(person.get("/campaigns/1").text)


def test_a_reason_that_is_too_long_is_not_lost(person: Browser, world: World, under_way: list[int]) -> None:
    answer = person.post("/campaigns/1/pause", "/campaigns/1/pause", reason="x" * 501)
    assert answer.status_code == 400
    assert "x" * 501 in answer.text
    assert world.application.campaign(1).state is State.RUNNING


def test_a_paused_campaign_goes_on_and_its_priority_changes(
    person: Browser, pool: Pool, world: World, under_way: list[int]
) -> None:
    world.application.pause(1, reason="", by="test")
    world.shown()
    resume, priority = "/campaigns/1/resume", "/campaigns/1/priority"
    assert person.post(resume, resume, reason="The link is mended").status_code == 303
    assert world.application.campaign(1).state is State.RUNNING
    assert person.post(priority, priority, priority="high", reason="It is late").status_code == 303
    (resumed,), (raised,) = (told(pool, f"campaign.{topic}") for topic in ("resumed", "priority_changed"))
    assert (resumed["reason"], raised["priority"], raised["reason"]) == (
        "The link is mended", "high", "It is late",
    )  # fmt: skip
    for page in ("/campaigns/1", "/log"):
        text = seen(person.get(page).text)
        assert "Priority set to high It is late" in text
        assert "resumed The link is mended" in text.replace("Resumed", "resumed")
    assert "The link is mended" not in seen(person.get("/").text), "only what holds a campaign up"


def test_a_priority_that_is_none_is_refused_and_the_reason_not_lost(
    person: Browser, world: World, under_way: list[int]
) -> None:
    page = "/campaigns/1/priority"
    answer = person.post(page, page, priority="utmost", reason="It is late")
    assert answer.status_code == 400
    assert "is not one of high, normal, low" in seen(answer.text)
    assert 'value="It is late"' in answer.text
    assert world.application.campaign(1).priority == "normal"


def test_steps_that_the_state_does_not_allow_say_so(person: Browser, world: World, people: list[int]) -> None:
    write(person)
    for step in ("pause", "resume", "cancel"):
        answer = person.post(f"/campaigns/1/{step}", f"/campaigns/1/{step}", reason="")
        assert answer.status_code == 400
        assert "a draft campaign cannot be" in seen(answer.text).lower()


def test_an_unknown_campaign_is_nowhere(person: Browser) -> None:
    paths = ["", "/edit", "/start", "/live", "/pause", "/preview"]
    assert {person.get(f"/campaigns/7{path}").status_code for path in paths} == {404}
    assert person.get("/campaigns/99999999999").status_code == 404
