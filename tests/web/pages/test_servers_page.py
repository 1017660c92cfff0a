"""The pages about servers: adding, changing, trying, resting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from postledger.sink.sink import Sink
from storage.postgres.pool import Pool
from storage.secrets import Secrets
from tests.web.accounts.browsers import Browser
from tests.web.pages.reading import seen, told
from tests.web.world import NOON, World

FORM = {
    "name": "mail2",
    "host": "smtp.example.com",
    "port": "587",
    "auth_protocol": "login",
    "username": "news",
    "password": "pa55 wörd",
    "tls_type": "STARTTLS",
    "hello_hostname": "",
    "max_conns": "10",
    "idle_timeout": "15s",
    "wait_timeout": "5s",
    "enabled": "1",
    "from_email": "News <news@mail2.example.com>",
    "daily_limit": "1,000",
    "sliding_window": "1",
    "sliding_window_duration": "1h",
    "sliding_window_rate": "200",
    "window": "08:00-20:00",
}


def add(person: Browser, **changes: Any) -> Any:
    return person.post("/servers", "/servers/new", **{**FORM, **changes})


def password_of(pool: Pool, secrets: Secrets, number: int) -> str | None:
    with pool.transaction() as cursor:
        return secrets.password_of(cursor, number, "news at smtp.example.com:587 by STARTTLS, login")


def test_without_servers_the_page_says_what_to_do_first(person: Browser) -> None:
    text = seen(person.get("/servers").text)
    assert "No servers yet" in text
    assert "Add server" in text


def test_a_server_is_added_with_every_setting(person: Browser, pool: Pool, secrets: Secrets) -> None:
    answer = add(person)
    assert (answer.status_code, answer.location) == (303, "/servers?open=1#server-1")
    (event,) = told(pool, "server.added")
    assert event["by"] == "local"
    assert event["settings"] == {
        "name": "mail2", "host": "smtp.example.com", "port": 587, "auth_protocol": "login",
        "username": "news", "tls_type": "STARTTLS", "tls_skip_verify": False, "hello_hostname": "",
        "max_conns": 10, "idle_timeout": 15, "wait_timeout": 5, "enabled": True,
        "from_email": "News <news@mail2.example.com>", "daily_limit": 1000, "sliding_window": True,
        "sliding_window_duration": 3600, "sliding_window_rate": 200, "window": "08:00-20:00",
    }  # fmt: skip
    text = seen(person.get("/servers?open=1").text)
    assert "mail2 is added, and in use from now on." in text
    assert "200 in any 1h" in text
    assert "Password saved, encrypted" in text
    assert password_of(pool, secrets, 1) == "pa55 wörd"


def test_a_password_is_neither_on_a_page_nor_in_the_log(person: Browser, pool: Pool) -> None:
    add(person)
    pages = [person.get(path).text for path in ("/servers?open=1", "/servers/1", "/servers/1/edit", "/log")]
    pages.append(add(person, port="x").text)
    with pool.transaction() as cursor:
        cursor.execute("SELECT string_agg(convert_from(state, 'UTF8'), '') FROM events")
        pages.append(cursor.fetchone()[0])
    assert not any("pa55" in page for page in pages)


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(person: Browser, pool: Pool) -> None:
    answer = add(person, port="lots", daily_limit="-1", window="8-20", from_email="news", idle_timeout="soon")
    assert answer.status_code == 400
    text = seen(answer.text)
    assert "Not saved" in text
    for said in ("is not a whole number from 1 to 65535", "-1 is not from 0", "is not a range like"):
        assert said in text
    for kept in ('value="lots"', 'value="8-20"', 'value="news"', 'value="soon"', 'value="200"'):
        assert kept in answer.text
    assert 'aria-describedby="fault-port"' in answer.text
    assert told(pool, "server.added") == []


def test_a_name_is_given_once(person: Browser, pool: Pool) -> None:
    add(person)
    answer = add(person)
    assert answer.status_code == 400
    assert "There is a server named mail2 already." in seen(answer.text)
    assert len(told(pool, "server.added")) == 1


@pytest.fixture
def added(person: Browser) -> int:
    add(person)
    return 1


def change(person: Browser, **changes: Any) -> Any:
    return person.post("/servers/1/edit", "/servers/1/edit", **{**FORM, "password": "", **changes})


@pytest.mark.usefixtures("added")
def test_a_change_is_told_by_what_differs_and_by_whom(person: Browser, pool: Pool, secrets: Secrets) -> None:
    assert change(person, daily_limit="500", window="").status_code == 303
    (event,) = told(pool, "server.changed")
    assert (event["changes"], event["by"]) == ({"daily_limit": 500, "window": None}, "local")
    assert password_of(pool, secrets, 1) == "pa55 wörd", "an empty field keeps it"
    text = seen(person.get("/servers/1").text)
    assert "Server changed: window → none, daily limit → 500" in text


@pytest.mark.usefixtures("added")
def test_a_password_is_replaced_or_removed_and_that_is_on_the_record(
    person: Browser, pool: Pool, secrets: Secrets
) -> None:
    change(person, password="another")
    assert password_of(pool, secrets, 1) == "another"
    change(person, remove_password="1")
    assert password_of(pool, secrets, 1) is None
    assert [event["removed"] for event in told(pool, "server.password_changed")] == [False, False, True]
    assert told(pool, "server.changed") == []


@pytest.mark.usefixtures("added")
def test_a_refused_change_leaves_the_password_as_it_was(
    person: Browser, pool: Pool, secrets: Secrets
) -> None:
    assert change(person, password="another", port="0").status_code == 400
    assert password_of(pool, secrets, 1) == "pa55 wörd"


@pytest.mark.usefixtures("added")
def test_it_is_switched_off_and_on(person: Browser, pool: Pool) -> None:
    answer = person.post("/servers/1/disable", "/servers", back="/servers?open=1")
    assert answer.location == "/servers?open=1"
    assert "disabled" in seen(person.get("/servers").text)
    person.post("/servers/1/enable", "/servers")
    assert [len(told(pool, f"server.{what}")) for what in ("disabled", "enabled")] == [1, 1]


@pytest.mark.usefixtures("added")
def test_it_is_suspended_for_a_reason_until_its_time_or_until_resumed(person: Browser, pool: Pool) -> None:
    person.post("/servers/1/suspend", "/servers/1/suspend", reason="complaints", hours="24", until="")
    assert "suspended complaints until 2026-03-05 12:00 UTC" in seen(person.get("/servers").text)
    person.post("/servers/1/resume", "/servers")
    person.post("/servers/1/suspend", "/servers/1/suspend", reason="moving", hours="", until="")
    assert [event["until"] for event in told(pool, "server.suspended")] == ["2026-03-05T12:00:00+00:00", None]
    assert len(told(pool, "server.resumed")) == 1


@pytest.mark.usefixtures("added")
def test_a_rest_until_a_moment_is_in_the_zone_of_the_settings(
    person: Browser, world: World, pool: Pool
) -> None:
    world.application.change_policy({"timezone": "Europe/Berlin"}, by="test")
    person.post(
        "/servers/1/suspend", "/servers/1/suspend", reason="moving", hours="1", until="2026-03-04T18:00"
    )
    (event,) = told(pool, "server.suspended")
    assert event["until"] == "2026-03-04T17:00:00+00:00"


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": ""}, "Is missing."),
        ({"until": "2026-03-04T11:00"}, "Must be in the future."),
        ({"until": "tomorrow"}, "A date and time is expected."),
        ({"hours": "3"}, "One of the choices is expected."),
    ],
)
def test_a_rest_that_makes_no_sense_is_refused(
    person: Browser, pool: Pool, wrong: dict[str, str], said: str
) -> None:
    given = {"reason": "complaints", "hours": "", "until": "", **wrong}
    answer = person.post("/servers/1/suspend", "/servers/1/suspend", **given)
    assert answer.status_code == 400
    assert said in seen(answer.text)
    assert told(pool, "server.suspended") == []


def try_form(person: Browser, sink: Sink, **changes: Any) -> Any:
    form = {**FORM, "host": "127.0.0.1", "port": str(sink.port), "tls_type": "none", **changes}
    return person.post("/servers/test", "/servers/new", **form)


def test_a_server_is_tried_before_it_is_saved_and_its_dialogue_shown(person: Browser, pool: Pool) -> None:
    with Sink(users={"news": "pa55 wörd"}) as sink:
        answer = try_form(person, sink)
    text = seen(answer.text)
    assert "Connected and signed in. Nothing was sent." in text
    assert "<hidden>" in text
    assert "pa55" not in answer.text
    assert 'value="mail2"' in answer.text, "what was typed is still there"
    assert told(pool, "server.added") == []
    assert sink.messages == []


def test_when_it_does_not_work_there_is_the_reason_and_what_to_do(person: Browser) -> None:
    with Sink(users={"news": "another"}) as sink:
        text = seen(try_form(person, sink).text)
    assert "535" in text
    assert "Check user name and password" in text


def test_a_script_gets_the_outcome_alone(person: Browser) -> None:
    with Sink() as sink:
        form = {**FORM, "host": "127.0.0.1", "port": str(sink.port), "tls_type": "none"}
        token = person.token("/servers/new")
        answer = person.client.post(
            "/servers/test", data={"csrf": token, **form}, headers={"Accept": "text/html", "X-Part": "probe"}
        )
        wrong = person.client.post(
            "/servers/test",
            data={"csrf": token, **form, "port": "0"},
            headers={"Accept": "text/html", "X-Part": "probe"},
        )
    assert answer.headers["X-Part"] == wrong.headers["X-Part"] == "probe"
    assert "<html" not in answer.text
    assert "0 is not from 1 to 65535" in seen(wrong.text)


def test_a_kept_server_is_tried_with_the_password_that_is_kept(person: Browser) -> None:
    with Sink(users={"news": "pa55 wörd"}) as sink:
        add(person, host="127.0.0.1", port=str(sink.port), tls_type="none")
        text = seen(person.post("/servers/1/test", "/servers").text)
        again = seen(
            person.post(
                "/servers/1/test", "/servers/1/edit",
                **{**FORM, "host": "127.0.0.1", "port": str(sink.port), "tls_type": "none", "password": ""},
            ).text
        )  # fmt: skip
    assert "Connected and signed in" in text
    assert "Connected and signed in" in again


def test_what_a_server_did_is_seen_over_time(person: Browser, world: World) -> None:
    server, campaign, people = world.server("alpha", daily_limit=10), world.campaign(), world.people(4)
    world.queued(campaign, people)
    world.reserve(server, 4)
    world.accepted(campaign, people[0], server)
    world.accepted(campaign, people[1], server)
    world.failed(campaign, people[2], server)
    world.clock.advance_to(NOON + timedelta(hours=2))
    world.deferred(campaign, people[3], server, NOON + timedelta(hours=3))
    world.shown()
    page = person.get(f"/servers/{server}").text
    text = seen(page)
    assert "4 of 10 today 6 left" in text
    assert "accepted 2 deferred 1 failed 1" in text
    assert "Wed 4 Mar, 12:00 UTC: 2 accepted, 1 failed" in page
    assert "Wed 4 Mar, 14:00 UTC: 0 accepted, 1 deferred" in page
    assert "2026-03-04 4 2 1 1 0" in text
    assert "Server added: alpha" in text


def test_no_such_server_is_not_found(person: Browser) -> None:
    for path in ("/servers/7", "/servers/7/edit", "/servers/7/suspend", "/servers/99999999999"):
        assert person.get(path).status_code == 404, path
    for path in ("/servers/7/edit", "/servers/7/enable", "/servers/7/suspend", "/servers/7/test"):
        assert person.post(path, "/servers/new", reason="x", **FORM).status_code == 404, path
