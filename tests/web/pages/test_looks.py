"""Every page of this area in a real browser: nothing for axe to find, no complaint, and it fits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from postledger.sink.sink import Sink
from tests.browser.axe import violations
from tests.web.world import NOON, World

if TYPE_CHECKING:
    from playwright.sync_api import Page

EMAIL = 1 << 32 | 3
PAGES = (
    "/queue",
    "/queue?subscriber=nobody",
    f"/queue/{EMAIL}",
    "/queue/all/cancel?status=queued",
    "/servers?open=1",
    "/servers/1",
    "/servers/1/edit",
    "/servers/new",
    "/servers/1/suspend",
    "/settings",
    "/log",
    "/log?campaign=x",
)


@pytest.fixture
def busy(world: World) -> None:
    server = world.server("alpha.with.a.very.long.name.that.has.to.break.somewhere", daily_limit=10)
    world.server("bravo", sliding_window=True, sliding_window_rate=100, window="22:00-06:00")
    campaign, people = world.campaign("A campaign with a name that is rather long"), world.people(4)
    world.queued(campaign, people)
    world.reserve(server, 3)
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[1], server, reply="550 5.1.1 " + "unbroken" * 20)
    world.deferred(campaign, people[2], server, NOON + timedelta(hours=1))
    world.application.change_policy(
        {"windows": "08:00-20:00,22:00-02:00", "holidays": ["2026-03-06"], "queue_paused": True}, by="test"
    )
    world.shown()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everybody_and_fits(page: Page, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(path)
    assert violations(page) == []
    for width in (400, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("path", ["/queue", "/servers", "/settings", "/log"])
def test_an_empty_house_is_for_everybody_too(page: Page, path: str) -> None:
    page.goto(path)
    assert violations(page) == []


def test_a_server_is_tried_without_losing_the_password(page: Page) -> None:
    with Sink() as sink:
        page.goto("/servers/new")
        page.get_by_label("Name", exact=True).fill("alpha")
        page.get_by_label("From").fill("news@example.com")
        page.get_by_label("Host", exact=True).fill("127.0.0.1")
        page.get_by_label("Port").fill(str(sink.port))
        page.get_by_label("Encryption").select_option("none")
        page.get_by_label("Protocol").select_option("none")
        page.get_by_label("Password", exact=True).fill("secret")
        page.get_by_role("button", name="Test connection").click()
        page.get_by_text("Connected and signed in").wait_for()
    assert page.get_by_label("Password", exact=True).input_value() == "secret"
    assert page.url.endswith("/servers/new")
    page.evaluate("scrollTo(0, 0)")
    assert violations(page) == []
    page.get_by_role("button", name="Add server").click()
    page.get_by_text("alpha is added").wait_for()


@pytest.mark.usefixtures("busy")
def test_a_block_opens_and_its_steps_are_reached_by_keyboard(page: Page) -> None:
    page.goto("/servers")
    block = page.locator("#server-1")
    assert not block.get_by_role("link", name="Edit").is_visible()
    block.locator("summary").focus()
    page.keyboard.press("Enter")
    block.get_by_role("link", name="Edit").wait_for()
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Disable":
            break
    page.keyboard.press("Enter")
    page.get_by_text("is disabled and gets no more e-mails").wait_for()
    assert page.url.endswith("/servers?open=1")


@pytest.mark.usefixtures("busy")
def test_an_email_is_cancelled_from_the_list(page: Page) -> None:
    page.goto("/queue?subscriber=p4@")
    page.get_by_role("row", name="p4@example.org").get_by_role("button", name="Cancel").click()
    page.get_by_text("E-mail cancelled").wait_for()
    assert page.locator("td .badge").text_content() == "Cancelled"
    assert page.url.endswith("/queue?subscriber=p4@")


@pytest.mark.usefixtures("busy")
def test_one_that_failed_is_tried_again_from_the_list(page: Page) -> None:
    page.goto("/queue?status=failed")
    failed = page.get_by_role("row", name="p2@example.org")
    failed.get_by_role("button", name="Retry").click()
    page.get_by_role("status").first.wait_for()
    assert page.get_by_role("row", name="p2@example.org").count() == 0
    page.goto("/queue?subscriber=p2@")
    assert page.locator("td .badge").text_content() == "Queued"


@pytest.mark.parametrize(("path", "kind"), [("/settings", "time"), ("/log", "datetime-local")])
def test_the_focus_is_seen_on_times_too(page: Page, path: str, kind: str) -> None:
    page.goto(path)
    field = page.locator(f"input[type={kind}]").first
    field.focus()
    parts = 0
    while field.evaluate("field => field === document.activeElement"):
        assert field.evaluate("field => getComputedStyle(field).outlineStyle") == "solid"
        page.keyboard.press("Tab")
        parts += 1
    assert parts > 2
