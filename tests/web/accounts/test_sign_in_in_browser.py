"""The first sign-in, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from tests.browser.axe import violations
from tests.web.accounts.browsers import PASSWORD, add_people
from tests.web.world import World
from web.http.services import services

if TYPE_CHECKING:
    from playwright.sync_api import Page

OTHER = "quite another song"


@pytest.fixture
def people(app: Flask, world: World) -> None:
    with app.app_context():
        add_people(Accounts(services()))


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_from_no_accounts_to_the_first_sign_in(page: Page, app: Flask, world: World) -> None:
    page.goto("/")
    page.get_by_role("link", name="Add the first admin").click()
    assert "postledger user create NAME --role admin" in str(page.locator("pre").text_content())
    with app.app_context():
        Accounts(services()).add_user("ada", "admin", PASSWORD, by="cli")
    page.reload()
    assert page.get_by_role("heading", level=1).text_content() == "Sign in"
    assert page.evaluate("document.activeElement.name") == "name"
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("^[^?]+/users$"))
    assert page.get_by_role("link", name="ada", exact=True).first.is_visible()
    page.get_by_role("link", name="Dashboard").click()
    page.wait_for_selector('#link[data-state="live"]')
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto("/users")
    assert page.url.endswith("/sign-in?next=/users")


def test_a_wrong_password_is_told_without_losing_the_name(
    page: Page, people: None, complaints: list[str]
) -> None:
    page.goto("/users/new")
    sign_in(page, "admin", "something else entirely")
    assert "Wrong name" in str(page.get_by_role("alert").text_content())
    assert page.get_by_label("Name").input_value() == "admin"
    assert page.evaluate("document.activeElement.name") == "password"
    assert all("403" in complaint for complaint in complaints)
    complaints.clear()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("^[^?]+/users/new$"))


def test_an_admin_adds_an_auditor_and_gives_a_program_a_key(page: Page, people: None) -> None:
    page.goto("/users")
    sign_in(page, "admin")
    page.get_by_role("link", name="Add user").click()
    page.get_by_label("Name").fill("grace")
    page.get_by_label("Role").select_option("auditor")
    page.get_by_label("Password", exact=True).fill(OTHER)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Add user").click()
    assert page.get_by_role("status").first.text_content() == "grace can sign in now."
    page.get_by_role("link", name="Create key").click()
    page.get_by_label("Name").fill("n8n")
    page.get_by_label("Start, pause and cancel campaigns; retry and send e-mails").check()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Create key").click()
    assert re.fullmatch("plk_[0-9A-Za-z_]+", str(page.locator("#key").text_content()))
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Revoke n8n").click()
    page.get_by_role("button", name="Revoke key").click()
    assert "revoked" in str(page.get_by_role("status").first.text_content())


def test_a_live_page_goes_to_the_sign_in_page_when_the_session_ends(
    page: Page,
    app: Flask,
    world: World,
    people: None,
    complaints: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web.pages.dashboard.live.CHECK_EVERY", 0.0)
    page.goto("/")
    sign_in(page, "operator")
    page.wait_for_selector('#link[data-state="live"]')
    with app.app_context():
        Accounts(services()).change_password(2, OTHER, by="cli")
    world.server("alpha")
    world.shown()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert all("401" in complaint or "MIME" in complaint for complaint in complaints)
    complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_for_everybody_and_fit(
    page: Page, app: Flask, people: None, complaints: list[str], scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto("/sign-in")
    assert_good(page)
    with app.app_context():
        Accounts(services()).disable_user(3, by="test")
        for name in ("n8n", "old"):
            Accounts(services()).create_key(name, ["read", "send"], by="user:admin")
        Accounts(services()).revoke_key(2, by="user:admin")
    sign_in(page, "admin")
    page.wait_for_selector("#link")
    for path in (
        "/users",
        "/users/new",
        "/users/2",
        "/users/3",
        "/keys/new",
        "/keys/1/revoke",
        "/account",
        "/account/second-factor",
        "/nowhere",
    ):
        page.goto(path)
        assert_good(page)
    page.context.clear_cookies()
    page.goto("/users")
    sign_in(page, "admin", "not this")
    assert_good(page)
    assert all("403" in complaint or "404" in complaint for complaint in complaints)
    complaints.clear()


def assert_good(page: Page) -> None:
    assert violations(page) == [], page.url
    for width in (1280, 400, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert page.locator("h1").count() == 1, page.url


def test_without_accounts_the_page_is_for_everybody_too(page: Page, world: World) -> None:
    page.goto("/users")
    assert_good(page)


def test_the_code_to_scan_is_dark_on_light_on_a_dark_page(page: Page, people: None) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/account/second-factor")
    sign_in(page, "operator")
    code = page.get_by_role("img", name="QR code of the key shown below")
    code.wait_for()
    box = code.locator("svg").bounding_box()
    assert box is not None
    assert box["width"] == box["height"] > 150
    colours = code.locator("svg path").evaluate_all(
        "paths => paths.map(each => [getComputedStyle(each).fill, getComputedStyle(each).stroke])"
    )
    assert colours[0][0] == "rgb(255, 255, 255)"
    assert colours[1][1] == "rgb(0, 0, 0)"
    assert violations(page) == []
