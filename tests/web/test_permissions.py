"""Every route and every role: what is not decided, and what is not allowed, is refused."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from application.accounts.accounts import Accounts
from domain.accounts.accounts import ROLES, SCOPES
from domain.clock import VirtualClock
from domain.streams import campaign_stream
from tests.web.accounts.browsers import Browser, add_people, browser_of
from tests.web.world import World
from web.http.access import Permission, needs
from web.http.services import services

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
REFUSED = (401, 403)


def only_asks(rule: Rule) -> bool:
    """Whether a body is sent there for an answer alone."""
    return rule.rule == "/api/forecast"


@pytest.fixture
def accounts(app: Flask, world: World) -> Accounts:
    """One user of each role, named for it."""
    with app.app_context():
        made = Accounts(services())
    add_people(made)
    return made


def decisions(app: Flask) -> list[tuple[Rule, str, str]]:
    """(rule, method, what it needs) of every route."""
    return [
        (rule, method, getattr(app.view_functions[rule.endpoint], "needs", "undecided"))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def address(rule: Rule) -> str:
    """With a number that nothing has wherever the route leaves something open."""
    filled = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)
    filled = re.sub("<uuid:[^>]+>", str(campaign_stream(9)), filled)
    return re.sub("<[^>]+>", "999999", filled)


def test_every_route_has_a_decision(app: Flask) -> None:
    assert [rule.rule for rule, _, needed in decisions(app) if needed not in get_args(Permission)] == []


def test_a_route_without_a_decision_is_not_run(app: Flask, client: FlaskClient) -> None:
    late = Blueprint("late", __name__)
    late.get("/late")(lambda: "hello")
    app.register_blueprint(late)
    assert client.get("/late").status_code == 500


def test_only_these_routes_are_public(app: Flask) -> None:
    """Adding one takes a second thought, here."""
    assert {rule.rule for rule, _, needed in decisions(app) if needed == "public"} <= {
        "/healthz",
        "/readyz",
        "/sign-in",
        "/sign-in/provider",
        "/sign-in/provider/back",
        "/sign-in/provider/code",
        "/static/<path:filename>",
        "/unsubscribe/<token>",
        "/api/docs",
        "/api/health",
        "/api/openapi.json",
        "/subscription/<campaign>/<subscriber>",
    }


def test_changing_asks_for_more_than_reading(app: Flask) -> None:
    weak = [
        f"{method} {rule.rule}"
        for rule, method, needed in decisions(app)
        if method in UNSAFE and needed == "read"
    ]
    harmless = {"POST /api/forecast"}
    assert set(weak) <= harmless


@pytest.mark.parametrize("role", [*ROLES, None])
def test_each_role_reaches_what_it_may_and_nothing_else(
    app: Flask, accounts: Accounts, role: str | None
) -> None:
    browser = browser_of(app, role) if role else Browser(app.test_client())
    token = browser.token("/account") if role else ""
    allowed = {*ROLES[role], "self", "enrol", "public"} if role else {"public"}
    for rule, method, needed in decisions(app):
        if rule.endpoint in ("sign_in.leave", "live.stream"):
            continue
        answer = browser.client.open(address(rule), method=method, headers={"X-CSRF-Token": token})
        refused = answer.status_code in REFUSED or "/sign-in" in answer.headers.get("Location", "")
        answer.close()
        if rule.rule != "/sign-in":
            assert refused == (needed not in allowed), f"{method} {rule.rule} {answer.status_code}"


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_of_a_key_reaches_its_part_of_the_api_alone(
    app: Flask, client: FlaskClient, accounts: Accounts, clock: VirtualClock, scope: str
) -> None:
    _, key = accounts.create_key("program", [scope], by="test")
    for rule, method, needed in decisions(app):
        if rule.rule.startswith("/api/"):
            answer = client.open(address(rule), method=method, headers={"Authorization": f"Bearer {key}"})
            refused = answer.status_code == 403
            answer.close()
            assert refused == (needed not in (scope, "public")), f"{method} {rule.rule} {answer.status_code}"


def test_an_auditor_changes_nothing(app: Flask, accounts: Accounts, world: World) -> None:
    browser = browser_of(app, "auditor")
    token = browser.token("/account")
    own = {rule.rule for rule, _, needed in decisions(app) if needed in ("self", "enrol", "public")}
    before = position(world)
    for rule, method, _ in decisions(app):
        if method in UNSAFE and rule.rule not in own and not only_asks(rule):
            answer = browser.client.open(
                address(rule), method=method, data={"csrf": token}, headers={"X-CSRF-Token": token}
            )
            assert answer.status_code == 403, f"{method} {rule.rule}"
    assert position(world) == before


def test_nobody_is_let_in_by_a_cookie_that_is_none(app: Flask, accounts: Accounts) -> None:
    for value in ("", "x", "x" * 64, "ü", "a" * 3000):
        client = app.test_client()
        client.set_cookie("postledger-session", value)
        assert client.get("/", headers={"Accept": "text/html"}).status_code == 303
        assert client.get("/api/queue/stats").status_code == 403


def test_a_key_does_not_work_on_the_forms_of_pages(app: Flask, accounts: Accounts) -> None:
    _, key = accounts.create_key("program", list(SCOPES), by="test")
    bearer = {"Authorization": f"Bearer {key}"}
    client = app.test_client()
    assert client.get("/users", headers=bearer).status_code == 200
    for data in ({}, {"csrf": ""}):
        assert client.post("/users/1/disable", headers=bearer, data=data).status_code == 403


def test_without_accounts_all_is_allowed_on_this_machine(app: Flask, client: FlaskClient) -> None:
    for path in ("/", "/users", "/api/queue/stats", "/metrics"):
        assert client.get(path).status_code == 200
    assert "postledger user create" in client.get("/users").text
    assert "There are no accounts yet" in client.get("/").text
    assert client.get("/account", headers={"Accept": "text/html"}).location == "/users"
    assert client.get("/sign-in").location == "/"


def test_the_first_user_shuts_the_door(app: Flask, client: FlaskClient, world: World) -> None:
    assert client.get("/api/queue/stats").status_code == 200
    with app.app_context():
        add_people(Accounts(services()))
    assert client.get("/api/queue/stats").status_code == 403
    assert client.get("/users", headers={"Accept": "text/html"}).location == "/sign-in?next=/users"


def test_needs_takes_a_view_as_it_is() -> None:
    def view() -> str:
        return "x"

    assert needs("read")(view) is view


def position(world: World) -> int:
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT position FROM log_head")
        return int(cursor.fetchone()[0])
