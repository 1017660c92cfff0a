"""Where a role needs a second factor, a password alone opens nothing but the page to set one up."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule

from application.accounts.accounts import Accounts
from domain.accounts.one_time_password import STEP, code_at
from domain.clock import VirtualClock
from tests.web.accounts.browsers import PASSWORD, Browser, browser_of
from tests.web.world import World


def code(secret: str, clock: VirtualClock) -> str:
    return code_at(secret, int(clock.now().timestamp()) // STEP)


def enrol(browser: Browser, clock: VirtualClock, **fields: str) -> int:
    page = browser.get("/account/second-factor").text
    found = re.search('name="secret" value="([A-Z2-7]+)"', page)
    assert found
    given = {"secret": found[1], "code": code(found[1], clock), **fields}
    return browser.post("/account/second-factor", "/account/second-factor", **given).status_code


@pytest.fixture
def required(accounts: Accounts) -> Accounts:
    accounts.require_second_factors(["operator", "admin"], by="user:admin")
    return accounts


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        if getattr(app.view_functions[rule.endpoint], "needs", "") not in ("public", "enrol"):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method


def test_nothing_else_is_open_until_one_is_set_up(app: Flask, required: Accounts) -> None:
    browser = browser_of(app, "operator")
    token = browser.token("/account/second-factor")
    for rule, method in routes(app):
        path = re.sub("<[^>]+>", "1", re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule))
        answer = browser.client.open(
            path, method=method, headers={"X-CSRF-Token": token, "Accept": "text/html"}
        )
        if answer.status_code == 303:
            assert answer.location == "/account/second-factor", f"{method} {path}"
        elif answer.status_code != 404:  # an address that no route has
            assert answer.status_code == 403, f"{method} {path} {answer.status_code}"
        answer.close()


def test_whoever_has_set_one_up_goes_on(app: Flask, required: Accounts, clock: VirtualClock) -> None:
    browser = browser_of(app, "operator")
    assert "Your role requires a second factor" in browser.get("/account/second-factor").text
    assert enrol(browser, clock, current="a guess") == 400
    assert enrol(browser, clock) == 303
    assert browser.get("/queue").status_code == 200
    assert Browser(app.test_client()).sign_in("operator").status_code == 403, "the code is asked for now"


def test_it_is_in_force_at_once_where_somebody_is_signed_in(app: Flask, accounts: Accounts) -> None:
    browser = browser_of(app, "operator")
    assert browser.get("/queue").status_code == 200
    accounts.require_second_factors(["operator"], by="user:admin")
    assert browser.get("/queue").location == "/account/second-factor"
    assert browser_of(app, "auditor").get("/queue").status_code == 200, "another role is not concerned"
    accounts.require_second_factors([], by="user:admin")
    assert browser.get("/queue").status_code == 200


def test_who_needs_one_does_not_put_it_off(app: Flask, accounts: Accounts, clock: VirtualClock) -> None:
    browser = browser_of(app, "operator")
    assert enrol(browser, clock) == 303
    accounts.require_second_factors(["operator"], by="user:admin")
    refused = browser.post("/account/second-factor/remove")
    assert refused.status_code == 400
    assert "your role requires a second factor" in refused.text
    accounts.remove_second_factor(2, by="user:admin")
    assert browser.get("/queue").location == "/account/second-factor"


def test_an_admin_says_so_on_the_page_and_it_is_on_record(
    app: Flask, accounts: Accounts, world: World
) -> None:
    admin = browser_of(app, "admin")
    assert admin.post("/users/second-factors", "/users", roles=["operator"], current="").status_code == 400
    assert admin.post("/users/second-factors", "/users", roles=["nobody"]).status_code == 400
    for _ in range(2):
        assert admin.post("/users/second-factors", "/users", roles=["auditor", "operator"]).status_code == 303
    assert re.search('value="operator" checked', admin.get("/users").text)
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT state FROM event_log WHERE topic = 'user.second_factors_required'")
        assert cursor.fetchall() == [({"by": "user:admin", "roles": ["auditor", "operator"]},)]
    assert "Second factor required for auditor, operator" in admin.get("/log").text
    assert PASSWORD not in admin.get("/log").text


def test_a_key_is_not_concerned(app: Flask, required: Accounts) -> None:
    _, key = required.create_key("program", ["read"], by="user:admin")
    answer = app.test_client().get("/api/queue/stats", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
