"""Signing in and out, and what ends a session."""

from __future__ import annotations

import logging
from datetime import timedelta
from time import thread_time

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from domain.accounts.one_time_password import STEP, code_at, new_secret
from domain.clock import VirtualClock
from storage.accounts import accounts as stored
from storage.accounts.accounts import DECOY, HASHER
from tests.web.accounts.browsers import (
    PASSWORD,
    Browser,
    browser_of,
    browser_of_nobody,
    cookie,
    is_signed_in,
)
from tests.web.world import World

pytestmark = pytest.mark.usefixtures("accounts")

OTHER = "quite another song"
ADMIN, OPERATOR, AUDITOR = 1, 2, 3


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


# Signing in


def test_a_page_that_was_asked_for_comes_after_signing_in(browser: Browser) -> None:
    asked = browser.get("/users?show=all")
    assert (asked.status_code, asked.location) == (303, "/sign-in?next=/users?show%3Dall")
    form = browser.get(asked.location)
    assert 'name="next" value="/users?show=all"' in form.text
    answer = browser.sign_in("Admin ", next="/users?show=all")
    assert (answer.status_code, answer.location) == (303, "/users?show=all")
    assert "Sign out" in browser.get("/users").text


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("admin", OTHER),
        ("admin", ""),
        ("nobody", PASSWORD),
        ("", ""),
        ("admin' OR 1=1 --", PASSWORD),
        ("ü", "ü"),
    ],
)
def test_what_is_wrong_is_not_told(browser: Browser, name: str, password: str) -> None:
    answer = browser.sign_in(name, password)
    assert answer.status_code == 403
    assert "Wrong name, password or code." in answer.text
    assert PASSWORD not in answer.text
    assert not is_signed_in(browser)


def test_a_failed_form_keeps_the_name_and_never_the_password(browser: Browser) -> None:
    answer = browser.sign_in("someone", "a wrong password", next="/users")
    assert 'value="someone"' in answer.text
    assert 'name="next" value="/users"' in answer.text
    assert "a wrong password" not in answer.text


def test_an_unknown_name_costs_the_same_work(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, accounts: Accounts
) -> None:
    checked: list[str] = []

    def check(stored: str, password: str) -> bool:
        checked.append(stored.split("$")[3])
        return False

    monkeypatch.setattr("storage.accounts.accounts.is_right", check)
    accounts.disable_user(OPERATOR, by="test")
    for name in ("admin", "operator", "nobody", ""):
        browser.sign_in(name)
    assert len(checked) == 4
    assert len(set(checked)) == 1, "with the same parameters"
    assert not HASHER.check_needs_rehash(DECOY)


@pytest.fixture
def dear_passwords(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Hashed as they should be."""
    monkeypatch.setattr(stored, "HASHER", HASHER)
    monkeypatch.setattr(stored, "DECOY", DECOY)
    with world.pool.transaction() as cursor:
        stored.renew_hash(cursor, ADMIN, HASHER.hash(PASSWORD))


def test_an_unknown_name_takes_about_as_long(browser: Browser, dear_passwords: None) -> None:
    def seconds(name: str) -> float:
        """Of work, whatever else the machine does."""
        token = browser.token("/sign-in")
        begun = thread_time()
        browser.client.post("/sign-in", data={"csrf": token, "name": name, "password": OTHER})
        return thread_time() - begun

    known = min(seconds("admin") for _ in range(4))
    unknown = min(seconds("nobody") for _ in range(4))
    assert 0.5 < unknown / known < 2


def test_a_hash_of_less_effort_is_renewed(browser: Browser, world: World, dear_passwords: None) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with world.pool.transaction() as cursor:
        stored.renew_hash(cursor, ADMIN, weak)
    assert browser.sign_in("admin").status_code == 303
    with world.pool.transaction() as cursor:
        renewed = stored.password_hash(cursor, ADMIN)
    assert not stored.is_outdated(renewed)
    assert stored.is_right(renewed, PASSWORD)


# Attempts


def test_attempts_are_limited_by_name_and_address(app: Flask, browser: Browser, clock: VirtualClock) -> None:
    answers = [browser.sign_in("admin", OTHER).status_code for _ in range(7)]
    assert answers == [403] * 5 + [429] * 2
    refused = browser.sign_in("admin")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 31
    assert "Too many attempts" in refused.text
    assert browser_of(app, "operator"), "another name is not held up"
    clock.advance_to(clock.now() + timedelta(seconds=31))
    assert browser.sign_in("admin").status_code == 303


def test_right_passwords_use_nothing_up(app: Flask) -> None:
    for _ in range(8):
        assert Browser(app.test_client()).sign_in("admin", OTHER).status_code == 403
        assert Browser(app.test_client()).sign_in("admin").status_code == 303


def test_attempts_are_limited_by_address_over_all_names(browser: Browser) -> None:
    answers = [browser.sign_in(f"name{number}", OTHER).status_code for number in range(31)]
    assert answers == [403] * 30 + [429]


def test_limited_attempts_check_no_password(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        browser.sign_in("admin", OTHER)
    monkeypatch.setattr("storage.accounts.accounts.is_right", lambda *_: pytest.fail("checked"))
    assert browser.sign_in("admin").status_code == 429


# The second factor


@pytest.fixture
def secret(accounts: Accounts, clock: VirtualClock) -> str:
    made = new_secret()
    accounts.set_second_factor(ADMIN, made, code(made, clock), by="test")
    clock.advance_to(clock.now() + timedelta(minutes=2))
    return made


def code(secret: str, clock: VirtualClock, steps: int = 0) -> str:
    return code_at(secret, int(clock.now().timestamp()) // STEP + steps)


def test_with_a_second_factor_the_password_is_not_enough(
    browser: Browser, secret: str, clock: VirtualClock
) -> None:
    assert browser.sign_in("admin").status_code == 403
    assert browser.sign_in("admin", code="000000").status_code == 403
    assert browser.sign_in("admin", OTHER, code=code(secret, clock)).status_code == 403
    assert browser.sign_in("admin", code=code(secret, clock)).status_code == 303


def test_a_code_is_taken_once(app: Flask, secret: str, clock: VirtualClock) -> None:
    seen = code(secret, clock)
    assert Browser(app.test_client()).sign_in("admin", code=seen).status_code == 303
    assert Browser(app.test_client()).sign_in("admin", code=seen).status_code == 403
    assert Browser(app.test_client()).sign_in("admin", code=code(secret, clock, -1)).status_code == 403
    assert Browser(app.test_client()).sign_in("admin", code=code(secret, clock, 1)).status_code == 303


def test_a_second_factor_is_encrypted_and_follows_new_keys(app: Flask, secret: str, world: World) -> None:
    from storage.secrets import Secrets, new_key, second_factor_owner

    kept = app.extensions["postledger"].secrets
    with world.pool.transaction() as cursor:
        sealed = stored.second_factor(cursor, ADMIN)
        assert sealed is not None
        assert secret.encode() not in sealed
        newest = new_key()
        Secrets([newest, *kept.keys]).rotate(cursor)
        renewed = stored.second_factor(cursor, ADMIN)
        assert renewed is not None
    assert Secrets([newest]).unseal(second_factor_owner(ADMIN), renewed) == secret


# What is written down


def test_attempts_are_logged_without_secrets(
    app: Flask, caplog: pytest.LogCaptureFixture, accounts: Accounts, secret: str, clock: VirtualClock
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = browser_of_nobody(app)
    for name, password in (("operator", OTHER), (PASSWORD, ""), ("operator", PASSWORD)):
        browser.sign_in(name, password)
    browser.client.get("/users/new", headers={"Accept": "text/html"})
    _, key = accounts.create_key("program", ["read"], by="test")
    client = app.test_client()
    client.get("/api/queue/stats", headers={"Authorization": f"Bearer {key}x"})
    client.get("/api/queue/stats", headers={"Authorization": f"Bearer {key}"})
    said = caplog.text
    assert "sign-in as operator from 127.0.0.1 failed" in said
    assert "sign-in as nobody from 127.0.0.1 failed" in said
    assert "operator signed in from 127.0.0.1" in said
    assert "refused GET '/users/new' to user:operator: needs administer" in said
    assert "an API key from 127.0.0.1 was refused" in said
    for hidden in (PASSWORD, OTHER, key, key.split("_")[2], secret, cookie(browser)):
        assert hidden not in said
