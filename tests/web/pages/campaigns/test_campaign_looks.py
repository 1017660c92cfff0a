"""The campaign pages in a real browser: nothing for axe to find, no complaint, and they fit."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.browser.axe import violations
from tests.web.world import NOON, World

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = (
    "/campaigns",
    "/campaigns?status=paused",
    "/campaigns/new",
    "/campaigns/1",
    "/campaigns/1/pause",
    "/campaigns/1/priority",
    "/campaigns/2",
    "/campaigns/2/edit",
    "/campaigns/2/start",
    "/campaigns/2/discard",
)


@pytest.fixture
def letters(world: World) -> None:
    """Campaign 1 is under way, 2 is a draft that takes days."""
    server = world.server("alpha.with.a.very.long.name.that.has.to.break.somewhere", daily_limit=2)
    people = world.people(5)
    world.queued(world.campaign("A campaign with a name that is rather long"), people)
    world.accepted(1, people[0], server)
    world.failed(1, people[1], server, reply="550 5.1.1 " + "unbroken" * 20)
    world.deferred(1, people[2], server, NOON + timedelta(hours=1))
    world.campaign("Another")
    world.shown()


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everybody_and_fits(page: Page, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(path)
    assert violations(page) == []
    for width in (400, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1


def test_the_estimate_tells_day_and_time_in_the_viewer_s_zone(page: Page, world: World) -> None:
    """Two in the morning of Thursday, UTC, is Wednesday evening in New York."""
    world.server("alpha")
    world.people(3)
    world.application.change_policy({"windows": "02:00-03:00"}, by="test")
    world.campaign()
    world.shown()
    page.goto("/campaigns/1/start")
    page.get_by_text("3 e-mails, the last one on Wednesday, March 4, 09:00 PM.").wait_for()
    assert page.locator("tr.last th").inner_text() == "Thursday 5 March"
