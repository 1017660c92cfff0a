"""The dashboard in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask.testing import FlaskClient

from domain.delivery import unsubscribe_token
from tests.web.world import KEY, World

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def busy(world: World) -> tuple[int, int, list[int]]:
    """(server, campaign, people): one of four e-mails is sent, one failed."""
    server, campaign, people = world.server("alpha", daily_limit=10), world.campaign(), world.people(4)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[1], server)
    world.shown()
    return server, campaign, people


def expect_text(page: Page, selector: str, text: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator(selector).first).to_have_text(text)


def tile(page: Page, label: str) -> str:
    figure = page.locator(".tiles > div", has_text=label).locator(".figure")
    return str(figure.text_content())


def test_what_happens_is_seen_without_reloading(
    page: Page, world: World, busy: tuple[int, int, list[int]]
) -> None:
    server, campaign, people = busy
    page.goto("/")
    page.wait_for_selector('#link[data-state="live"]')
    assert (tile(page, "Sent"), tile(page, "Failed"), tile(page, "Queued")) == ("1", "1", "2")
    page.evaluate("document.querySelector('#live-queue').dataset.mark = 'kept'")
    world.accepted(campaign, people[2], server)
    world.shown()
    expect_text(page, ".tiles .figure", "2")
    assert tile(page, "Queued") == "1"
    assert page.locator("#live-queue").get_attribute("data-mark") == "kept", "worked in, not replaced"
    assert page.locator("[role=progressbar]").get_attribute("aria-valuenow") == "75"


def test_one_page_too_many_polls(
    page: Page, client: FlaskClient, world: World, busy: tuple[int, int, list[int]], complaints: list[str]
) -> None:
    server, campaign, people = busy
    others = [client.get("/live") for _ in range(3)]
    page.goto("/")
    page.wait_for_selector('#link[data-state="polling"]')
    world.accepted(campaign, people[2], server)
    world.shown()
    expect_text(page, ".tiles .figure", "2")
    for answer in others:
        answer.close()
    assert all("503" in complaint for complaint in complaints)
    complaints.clear()


def test_times_are_the_viewers_and_exact_on_hover(page: Page, busy: tuple[int, int, list[int]]) -> None:
    page.goto("/")
    time = page.locator("#live-throughput time").first
    expect_text(page, "#live-throughput time", "06:45 AM")
    assert time.get_attribute("title") == "2026-03-04 11:45:10 UTC"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits_in_both_themes_and_widths(
    page: Page, busy: tuple[int, int, list[int]], scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(shade) < 3 * 128) == (scheme == "dark")


def test_an_empty_house_says_what_to_do_first(page: Page, world: World) -> None:
    world.server("alpha")
    world.shown()
    page.goto("/")
    steps = page.locator(".steps > li")
    assert steps.count() == 4
    assert page.locator(".steps > .done").count() == 1
    assert "postledger recipients import" in str(steps.nth(1).text_content())
    assert not page.locator("#live-queue").is_visible()
    page.get_by_role("link", name="Import subscribers").click()
    page.wait_for_url("**/subscribers/import")


def test_the_page_is_made_for_keyboards_and_readers(page: Page, busy: tuple[int, int, list[int]]) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.locator("h1").count() == 1
    for landmark in ("header", "main", "footer"):
        assert page.locator(landmark).first.is_visible()
    unnamed = page.evaluate(
        "[...document.querySelectorAll('section:has(> *)')]"
        ".filter((section) => !document.getElementById(section.getAttribute('aria-labelledby'))).length"
    )
    assert unnamed == 0
    assert page.locator("svg[role=img]:not([aria-label])").count() == 0


def test_a_person_unsubscribes_with_one_button(page: Page, world: World) -> None:
    (person,) = world.people(1)
    page.goto(f"/unsubscribe/{unsubscribe_token.token(KEY, world.campaign(), person)}")
    page.get_by_role("button", name="Unsubscribe").click()
    assert page.get_by_role("heading").text_content() == "You are unsubscribed"
