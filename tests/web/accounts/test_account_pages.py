"""What people do on the pages of users and keys."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.web.accounts.browsers import PASSWORD, Browser, browser_of
from tests.web.world import World

pytestmark = pytest.mark.usefixtures("accounts")

OTHER = "quite another song"
OPERATOR = 2


@pytest.fixture
def admin(app: Flask) -> Browser:
    return browser_of(app, "admin")


def events(world: World) -> list[tuple[str, Any]]:
    """Those after the users were added."""
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT topic, state FROM event_log WHERE position > 3 ORDER BY position")
        return list(cursor.fetchall())


# Forms and their tokens


@pytest.mark.parametrize("token", ["", "0" * 64, "ü", None])
def test_a_form_without_the_token_changes_nothing(admin: Browser, world: World, token: str | None) -> None:
    fields = {} if token is None else {"csrf": token}
    answer = admin.client.post(f"/users/{OPERATOR}/disable", data=fields, headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "has expired" in answer.text
    assert events(world) == []


def test_the_token_of_somebody_else_is_not_taken(app: Flask, admin: Browser, world: World) -> None:
    foreign = browser_of(app, "operator").token("/account")
    own_before = Browser(app.test_client())
    own_before.sign_in("admin")
    for token in (foreign, own_before.token("/account")):
        assert admin.client.post(f"/users/{OPERATOR}/disable", data={"csrf": token}).status_code == 403
    assert events(world) == []


def test_a_form_of_another_origin_is_refused_even_with_the_token(admin: Browser, world: World) -> None:
    answer = admin.client.post(
        f"/users/{OPERATOR}/disable",
        data={"csrf": admin.token("/account")},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403
    assert events(world) == []


# Users


def test_an_admin_adds_a_user_who_then_signs_in(app: Flask, admin: Browser, world: World) -> None:
    answer = admin.post("/users", "/users/new", name="Grace", role="operator", password=PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/users")
    listed = admin.get("/users").text
    assert "grace can sign in now." in listed
    assert "grace can sign in now." not in admin.get("/users").text, "said once"
    assert browser_of(app, "grace").get("/account").status_code == 200
    assert events(world) == [
        ("user.added", {"by": "user:admin", "name": "grace", "role": "operator"}),
    ]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": "", "role": "admin", "password": PASSWORD}, "up to 40 letters"),
        ({"name": "a@b.example", "role": "admin", "password": PASSWORD}, "up to 40 letters"),
        ({"name": "admin", "role": "admin", "password": PASSWORD}, "there is a user admin already"),
        ({"name": "grace", "role": "root", "password": PASSWORD}, "one of auditor"),
        ({"name": "grace", "role": "operator", "password": "short"}, "from 12 to 200"),
        ({}, "up to 40 letters"),
    ],
)
def test_a_failed_form_says_why_beside_the_field_and_loses_nothing(
    admin: Browser, world: World, fields: dict[str, str], fault: str
) -> None:
    answer = admin.post("/users", "/users/new", **fields)
    assert answer.status_code == 400
    assert re.search(f'class="fault"[^>]*>[^<]*{fault}', answer.text)
    assert f'value="{fields.get("name", "")}"' in answer.text
    assert PASSWORD not in answer.text
    assert events(world) == []


def test_an_admin_changes_what_a_user_is(app: Flask, admin: Browser, world: World) -> None:
    page = f"/users/{OPERATOR}"
    for step, fields in (
        ("role", {"role": "auditor"}),
        ("password", {"password": OTHER}),
        ("disable", {}),
        ("enable", {}),
    ):
        answer = admin.post(f"{page}/{step}", page, **fields)
        assert (answer.status_code, answer.location) == (303, page)
    assert [topic for topic, _ in events(world)] == [
        "user.role_changed",
        "user.password_changed",
        "user.disabled",
        "user.enabled",
    ]
    assert {state["by"] for _, state in events(world)} == {"user:admin"}
    assert Browser(app.test_client()).sign_in("operator", OTHER).status_code == 303


def test_the_last_admin_stays(admin: Browser, world: World) -> None:
    for step, fields in (("disable", {}), ("role", {"role": "auditor"})):
        answer = admin.post(f"/users/1/{step}", "/users/1", **fields)
        assert answer.status_code == 400
        assert "only admin who can sign in" in answer.text
    assert events(world) == []


@pytest.mark.parametrize("number", [0, 99, 2**31, 2**64])
def test_a_user_who_is_not_there_is_not_found(admin: Browser, number: int) -> None:
    assert admin.get(f"/users/{number}").status_code == 404
    for step in ("disable", "enable", "role", "password", "second-factor/remove"):
        answer = admin.post(f"/users/{number}/{step}", role="auditor", password=OTHER)
        assert answer.status_code == 404
    assert admin.post(f"/keys/{number}/revoke").status_code == 404
    assert admin.get(f"/keys/{number}/revoke").status_code == 404


# Keys


def test_a_key_is_shown_once_and_revoked(app: Flask, admin: Browser, world: World) -> None:
    answer = admin.post("/keys", "/keys/new", name="n8n", scopes=["read", "send"], expires="30")
    found = re.search("plk_[A-Za-z0-9]+_[A-Za-z0-9]+_[A-Za-z0-9]{6}", answer.text)
    assert found
    assert answer.headers["Cache-Control"] == "no-store"
    assert found[0] not in admin.get("/users").text
    bearer = {"Authorization": f"Bearer {found[0]}"}
    client = app.test_client()
    assert client.get("/api/queue/stats", headers=bearer).status_code == 200
    assert "Revoke key n8n?" in admin.get("/keys/1/revoke").text
    assert admin.post("/keys/1/revoke").location == "/users"
    assert client.get("/api/queue/stats", headers=bearer).status_code == 403
    (_, created), revoked = events(world)
    assert (created["name"], created["scopes"], created["by"]) == ("n8n", ["read", "send"], "user:admin")
    assert created["expires"] == (world.clock.now() + timedelta(days=30)).timestamp()
    assert revoked == ("key.revoked", {"by": "user:admin"})


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": "x y", "scopes": "read", "expires": ""}, "up to 40 letters"),
        ({"name": "n8n", "expires": ""}, "one or more of"),
        ({"name": "n8n", "scopes": ["read", "fly"], "expires": ""}, "one or more of"),
        ({"name": "n8n", "scopes": "read", "expires": "7"}, "one of the choices"),
    ],
)
def test_a_key_that_cannot_be_is_not_created(
    admin: Browser, world: World, fields: dict[str, Any], fault: str
) -> None:
    answer = admin.post("/keys", "/keys/new", **fields)
    assert answer.status_code == 400
    assert fault in answer.text
    assert events(world) == []


# All pages


def test_the_menu_says_where_one_is(admin: Browser) -> None:
    assert '<a href="/" aria-current="page">Dashboard</a>' in admin.get("/").text
    assert '<a href="/users" aria-current="page">' in admin.get("/users").text


def test_an_auditor_sees_who_has_access_and_is_offered_no_change(app: Flask, admin: Browser) -> None:
    steps = ('href="/users/new"', 'href="/keys/new"', f'href="/users/{OPERATOR}"')
    seen, offered = browser_of(app, "auditor").get("/users").text, admin.get("/users").text
    for name in ("admin", "operator", "auditor"):
        assert name in seen
    assert all(step in offered and step not in seen for step in steps)


def test_a_notice_that_was_tampered_with_is_not_shown(admin: Browser) -> None:
    for value in ("x", "x.y", "00.W10=", "é", "." * 3000):
        admin.client.set_cookie("postledger-notices", value)
        page = admin.get("/account")
        assert page.status_code == 200
        assert 'class="notice' not in page.text
