"""Whoever has got hold of a session, or of an unlocked browser, does not get hold of an account: what people
sign in with is changed by those who know their password."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from domain.accounts.one_time_password import STEP, code_at, new_secret
from domain.clock import VirtualClock
from tests.web.accounts.browsers import PASSWORD, Browser, browser_of
from tests.web.world import World

NEW = "quite another song"
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("/users/{}/password", {"password": NEW}),
    ("/users/{}/role", {"role": "auditor"}),
    ("/users/{}/email", {"email": "me@example.org"}),
    ("/users/{}/second-factor/remove", {}),
    ("/users/{}/enable", {}),
    ("/users", {"name": "mallory", "role": "admin", "password": NEW}),
    ("/keys", {"name": "mallory", "scopes": ["administer"], "expires": ""}),
    ("/account/password", {"new": NEW, "again": NEW}),
    ("/account/second-factor/remove", {}),
]


def position(world: World) -> int:
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT max(position) FROM events")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(("path", "fields"), CHANGES)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("current", ["", "a guess at it"])
def test_a_session_alone_changes_nothing_that_somebody_signs_in_with(
    app: Flask, accounts: Accounts, world: World, clock: VirtualClock,
    path: str, fields: dict[str, Any], number: int, current: str,
) -> None:  # fmt: skip
    """Neither of others' accounts nor, by the page that has its number, of the admin's own."""
    admin = browser_of(app, "admin")
    secret = new_secret()
    code = code_at(secret, int(clock.now().timestamp()) // STEP)
    accounts.set_second_factor(2, secret, code, by="test")
    if path.endswith("/enable"):
        accounts.disable_user(2, by="test")
    before = position(world)
    answer = admin.post(path.format(number), current=current, **fields)
    assert answer.status_code == 400
    assert position(world) == before


def test_each_form_says_whose_password_it_wants(app: Flask, accounts: Accounts) -> None:
    admin = browser_of(app, "admin")
    for page, count in (("/users/2", 3), ("/users/new", 1), ("/keys/new", 1)):
        text = admin.get(page).text
        assert text.count('name="current"') == count
        ids = re.findall('<input type="password" id="([^"]+)"', text)
        assert len(ids) == len(set(ids))


def test_guesses_at_it_are_few(app: Flask, accounts: Accounts) -> None:
    admin = browser_of(app, "admin")
    guesses = [admin.post("/users/2/password", current=f"guess {n}", password=NEW) for n in range(7)]
    assert [one.status_code for one in guesses] == [400] * 5 + [429] * 2
    assert Browser(app.test_client()).sign_in("admin", PASSWORD).status_code == 303, (
        "signing in is not held up"
    )


def test_access_is_taken_away_without_delay(app: Flask, accounts: Accounts) -> None:
    admin = browser_of(app, "admin")
    number, _ = accounts.create_key("lost", ["read"], by="test")
    assert admin.post("/users/2/disable", current="").status_code == 303
    assert admin.post(f"/keys/{number}/revoke", current="").status_code == 303
