"""What begins a session, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from domain.clock import VirtualClock
from storage.accounts import sessions
from tests.web.accounts.browsers import (
    PASSWORD,
    Browser,
    browser_of,
    browser_of_nobody,
    cookie,
    is_signed_in,
)
from tests.web.world import World
from web.http.access import token_from

OTHER = "quite another song"
OPERATOR = 2


pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
def browser(app: Flask) -> Browser:
    return browser_of_nobody(app)


def test_a_session_is_new_at_every_sign_in(app: Flask) -> None:
    browser = browser_of(app, "admin")
    first = cookie(browser)
    assert browser.client.get("/sign-in").location == "/", "already signed in"
    browser.client.set_cookie("postledger-visit", "x")
    fields = {"csrf": token_from(b"x"), "name": "admin", "password": PASSWORD}
    assert browser.client.post("/sign-in", data=fields).status_code == 303
    assert cookie(browser) != first
    other = browser_of_nobody(app)
    other.client.set_cookie("postledger-session", first)
    assert not is_signed_in(other), "the one before is over"


def test_a_session_given_by_somebody_else_is_not_taken_over(app: Flask) -> None:
    browser = browser_of_nobody(app)
    browser.client.set_cookie("postledger-session", "chosen by an attacker")
    browser.sign_in("admin")
    assert cookie(browser) != "chosen by an attacker"
    assert is_signed_in(browser)


def test_signing_out_ends_the_session_at_the_server(app: Flask) -> None:
    browser = browser_of(app, "admin")
    token = cookie(browser)
    answer = browser.post("/sign-out")
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    browser.client.set_cookie("postledger-session", token)
    assert not is_signed_in(browser)


def test_a_session_ends_when_it_is_not_used(app: Flask, clock: VirtualClock) -> None:
    browser = browser_of(app, "admin")
    for _ in range(3):
        clock.advance_to(clock.now() + sessions.IDLE - timedelta(seconds=1))
        assert is_signed_in(browser)
    clock.advance_to(clock.now() + sessions.IDLE)
    assert not is_signed_in(browser)


def test_a_session_ends_after_a_week_however_much_it_is_used(app: Flask, clock: VirtualClock) -> None:
    browser, begun = browser_of(app, "admin"), clock.now()
    while clock.now() + timedelta(hours=6) < begun + sessions.LONGEST:
        clock.advance_to(clock.now() + timedelta(hours=6))
        assert is_signed_in(browser)
    clock.advance_to(begun + sessions.LONGEST)
    assert not is_signed_in(browser)


def test_a_page_left_open_keeps_nobody_signed_in(app: Flask, clock: VirtualClock) -> None:
    browser = browser_of(app, "admin")
    for _ in range(11):
        clock.advance_to(clock.now() + timedelta(hours=1))
        assert browser.client.get("/live/fragments").status_code == 200
    clock.advance_to(clock.now() + timedelta(hours=1))
    assert browser.client.get("/live/fragments").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts: accounts.change_password(OPERATOR, OTHER, by="test"),
        lambda accounts: accounts.change_role(OPERATOR, "auditor", by="test"),
        lambda accounts: accounts.disable_user(OPERATOR, by="test"),
    ],
    ids=["password", "role", "disabled"],
)
def test_all_sessions_end_with(app: Flask, accounts: Accounts, change: Any) -> None:
    browsers = [browser_of(app, "operator") for _ in range(2)]
    admin = browser_of(app, "admin")
    assert all(is_signed_in(browser) for browser in browsers)
    change(accounts)
    assert not any(is_signed_in(browser) for browser in browsers)
    assert is_signed_in(admin)


def test_a_disabled_user_cannot_sign_in_until_enabled(browser: Browser, accounts: Accounts) -> None:
    accounts.disable_user(OPERATOR, by="test")
    assert browser.sign_in("operator").status_code == 403
    accounts.enable_user(OPERATOR, by="test")
    assert browser.sign_in("operator").status_code == 303


def test_the_table_of_sessions_lets_nobody_in(app: Flask, world: World) -> None:
    browser = browser_of(app, "admin")
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT string_agg(s::text, ' ') FROM sessions s")
        assert cookie(browser) not in cursor.fetchone()[0]
