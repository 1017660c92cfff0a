"""Nobody is kept from signing in by others who fail in their name, and no number of sign-ins stalls any."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from threading import Event

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from application.accounts import hashing
from application.turns import Turns
from domain.clock import VirtualClock
from storage.accounts import accounts as stored
from tests.web.accounts.browsers import PASSWORD, Browser, browser_of, is_signed_in, token_in

pytestmark = pytest.mark.usefixtures("accounts")

WRONG = "not the words of a song"


class Stranger:
    """Somebody elsewhere, with a browser that nobody has signed in from."""

    def __init__(self, app: Flask, address: str) -> None:
        self.browser = Browser(app.test_client())
        self.address = address

    def tries(self, name: str, password: str = WRONG) -> TestResponse:
        return sign_in_from(self.browser, self.address, name, password)


def sign_in_from(browser: Browser, address: str, name: str, password: str) -> TestResponse:
    seen = browser.client.get("/sign-in", environ_base={"REMOTE_ADDR": address})
    return browser.client.post(
        "/sign-in",
        data={"csrf": token_in(seen.text), "name": name, "password": password},
        environ_base={"REMOTE_ADDR": address},
    )


@pytest.fixture
def strangers(app: Flask) -> Iterator[Stranger]:
    return (Stranger(app, f"198.51.{number // 250}.{number % 250}") for number in count())


def test_a_browser_that_signed_in_before_always_gets_in(app: Flask, strangers: Iterator[Stranger]) -> None:
    admins = browser_of(app, "admin")
    admins.client.delete_cookie("postledger-session")
    for _ in range(40):
        assert next(strangers).tries("admin").status_code == 403
    attacker = Stranger(app, "127.0.0.1")
    assert [attacker.tries("admin").status_code for _ in range(6)][-1] == 429
    assert admins.sign_in("admin").status_code == 303, "though it comes from the attacker's own address"
    assert is_signed_in(admins)


def test_anybody_else_with_the_right_password_gets_in_at_the_first_attempt(
    app: Flask, strangers: Iterator[Stranger]
) -> None:
    for _ in range(150):
        next(strangers).tries("admin")
    assert next(strangers).tries("admin", PASSWORD).status_code == 303


def test_who_fails_in_a_name_from_many_addresses_is_slowed_at_each(
    app: Flask, strangers: Iterator[Stranger], clock: VirtualClock
) -> None:
    for _ in range(20):
        assert next(strangers).tries("admin").status_code == 403
    late = next(strangers)
    assert [late.tries("admin").status_code for _ in range(3)] == [403, 429, 429]
    assert late.tries("operator").status_code == 403, "another name is not slowed"
    clock.advance_to(clock.now() + timedelta(seconds=31))
    assert late.tries("admin").status_code == 429, "a minute instead of half"
    clock.advance_to(clock.now() + timedelta(seconds=30))
    assert late.tries("admin", PASSWORD).status_code == 303


def test_attempts_that_are_refused_use_nothing_up(app: Flask, clock: VirtualClock) -> None:
    attacker = Stranger(app, "203.0.113.5")
    assert [attacker.tries("admin").status_code for _ in range(60)].count(403) == 5
    clock.advance_to(clock.now() + timedelta(seconds=31))
    assert attacker.tries("admin", PASSWORD).status_code == 303


def test_a_device_guesses_no_faster_than_anybody(app: Flask) -> None:
    browser = browser_of(app, "operator")
    browser.client.delete_cookie("postledger-session")
    assert [browser.sign_in("operator", WRONG).status_code for _ in range(7)] == [403] * 5 + [429] * 2


def test_a_device_of_one_user_is_none_of_anothers(app: Flask) -> None:
    browser = browser_of(app, "auditor")
    browser.client.delete_cookie("postledger-session")
    attacker = Stranger(app, "127.0.0.1")
    for _ in range(5):
        attacker.tries("admin")
    assert browser.sign_in("admin").status_code == 429


def test_addresses_of_one_ipv6_network_count_as_one(app: Flask) -> None:
    statuses = [Stranger(app, f"2001:db8:1:2::{number:x}").tries("admin").status_code for number in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    assert Stranger(app, "2001:db8:1:3::1").tries("admin").status_code == 403


def test_wrong_keys_from_one_ipv6_network_count_as_one(app: Flask) -> None:
    def status(number: int) -> int:
        return app.test_client().get(
            "/api/queue/stats",
            headers={"Authorization": "Bearer pl_wrong"},
            environ_base={"REMOTE_ADDR": f"2001:db8:9:9::{number:x}"},
        ).status_code  # fmt: skip

    assert [status(number) for number in range(62)].count(429) == 2


def test_sign_ins_beyond_a_few_are_told_to_come_again(
    app: Flask, strangers: Iterator[Stranger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 64 at once, ten take a thread each: one is hashed, eight wait, and one more has just begun."""
    go_on, begun = Event(), Event()

    def slowly(_stored: str, _password: str) -> bool:
        begun.set()
        return not go_on.wait(60)

    monkeypatch.setattr(stored, "is_right", slowly)
    monkeypatch.setattr(hashing, "BY_STRANGERS", turns := Turns("sign-ins", at_once=1, waiting=8))
    monkeypatch.setattr("application.accounts.sign_in.BY_STRANGERS", turns)
    answers: list[TestResponse] = []

    def attempt(one: Stranger) -> None:
        answers.append(one.tries("admin"))

    threads = [threading.Thread(target=attempt, args=(next(strangers),)) for _ in range(64)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    while len(answers) < 55:
        threads[0].join(0.02)
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].headers["Retry-After"] == "2"
    assert app.test_client().get("/healthz").status_code == 200
    go_on.set()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [403] * 9 + [503] * 55


def test_strangers_do_not_take_the_turns_of_those_who_are_known(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browser_of(app, "admin")
    browser.client.delete_cookie("postledger-session")
    crowd = Turns("sign-ins", at_once=1, waiting=0)
    monkeypatch.setattr("application.accounts.sign_in.BY_STRANGERS", crowd)
    with crowd.taken():
        assert Stranger(app, "203.0.113.9").tries("admin", PASSWORD).status_code == 503
        assert browser.sign_in("admin").status_code == 303
