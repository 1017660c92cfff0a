"""An auditor in a real browser sees everything, is offered nothing that changes it, and gets nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from tests.web.accounts.browsers import PASSWORD, add_people
from tests.web.world import World
from web.http.services import services

if TYPE_CHECKING:
    from playwright.sync_api import Page

EMAIL = 1 << 32 | 1
PAGES = (
    "/",
    "/campaigns",
    "/campaigns/1",
    "/queue",
    f"/queue/{EMAIL}",
    "/servers?open=1",
    "/servers/1",
    "/settings",
    "/lists",
    "/subscribers",
    "/subscribers/1",
    "/templates",
    "/log",
    "/users",
)
OFFERED = """
    [...document.querySelectorAll("form[method=post] :is(button, input, select, textarea)")]
        .filter((one) => one.type !== "hidden" && !one.matches(":disabled"))
        .map((one) => one.textContent.trim() || one.name)
"""
TRY = """
    async ([path, csrf]) => (await fetch(path, {
        method: "POST", body: new URLSearchParams({csrf}), headers: {"X-CSRF-Token": csrf},
    })).status
"""
CHANGES = (
    "/campaigns/1/pause",
    "/campaigns/1/cancel",
    f"/queue/{EMAIL}/cancel",
    "/queue/pause",
    "/servers/1/disable",
    "/servers",
    "/settings",
    "/lists/new",
    "/subscribers/1/blocklist",
    "/users",
)


@pytest.fixture
def auditor(page: Page, app: Flask, world: World) -> Page:
    campaign, people = world.campaign("Spring"), world.people(2)
    world.server("alpha")
    world.queued(campaign, people)
    world.shown()
    with app.app_context():
        add_people(Accounts(services()))
    page.goto("/")
    page.get_by_label("Name").fill("auditor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="auditor", exact=True).first.wait_for()
    return page


def test_all_is_shown_and_nothing_to_change_it_is_offered(auditor: Page) -> None:
    for path in PAGES:
        answer = auditor.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert auditor.evaluate(OFFERED) == ["Sign out"], path


def test_what_is_asked_for_all_the_same_is_refused(
    auditor: Page, world: World, complaints: list[str]
) -> None:
    csrf = auditor.locator("input[name=csrf]").first.input_value()
    for path in CHANGES:
        assert auditor.evaluate(TRY, [path, csrf]) == 403, path
    assert world.application.campaign(1).state == "running"
    assert all("403" in complaint for complaint in complaints)
    complaints.clear()
