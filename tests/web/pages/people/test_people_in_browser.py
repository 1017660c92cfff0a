"""Lists, people and templates in a real browser: from an empty house to somebody who is found."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from application.people.lists import Lists
from application.people.people import People
from storage import content
from storage.people import imports
from storage.postgres.pool import Pool
from tests.browser.axe import violations
from tests.web.world import NOON, World

if TYPE_CHECKING:
    from playwright.sync_api import Page

PEOPLE = """email,name,attributes
ada@example.org,Ada Lovelace,"{""city"": ""London""}"
bob@example.org,Bob,{}
not an address,Nobody,
"""


def test_a_file_is_imported_and_somebody_in_it_found(page: Page, world: World, tmp_path: Path) -> None:
    file = tmp_path / "friends.csv"
    file.write_text(PEOPLE)
    page.goto("/subscribers")
    page.get_by_role("link", name="Import a CSV file").click()
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("List", exact=True).fill("Friends")
    page.get_by_label("Confirmed", exact=False).first.check()
    page.get_by_role("button", name="Import").click()
    page.get_by_role("heading", name="Finished").wait_for()
    assert re.match("4the e-mail address", str(page.get_by_role("row").last.text_content()))
    page.get_by_role("link", name="View subscribers").click()
    page.get_by_label("Address or name").fill("love")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="ada@example.org").click()
    page.get_by_role("heading", name="ada@example.org").wait_for()
    assert "London" in str(page.get_by_label("Attributes as JSON").text_content())
    page.get_by_role("button", name="Blocklist").click()
    page.get_by_role("button", name="Enable").wait_for()
    assert "No campaign mails this subscriber" in str(page.get_by_role("status").first.text_content())


@pytest.mark.usefixtures("busy")
def test_attributes_are_mended_where_they_are_wrong(page: Page, complaints: list[str]) -> None:
    page.goto("/subscribers/1/edit")
    attributes = page.get_by_label("Attributes")
    attributes.fill('{"city": "Bern",')
    page.get_by_label("Good friends").select_option("Confirmed")
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("This is not JSON: line 1").wait_for()
    assert attributes.input_value() == '{"city": "Bern",'
    assert page.get_by_label("Good friends").input_value() == "confirmed"
    assert violations(page) == []
    assert all("400" in complaint for complaint in complaints)
    complaints.clear()
    attributes.fill('{"city": "Bern"}')
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("Changes saved.").wait_for()
    assert "Bern" in str(page.get_by_label("Attributes as JSON").text_content())


def test_a_template_is_seen_while_it_is_written(page: Page, world: World) -> None:
    page.goto("/templates")
    page.get_by_role("link", name="Create the first one").click()
    page.get_by_label("Name").fill("House style")
    page.get_by_label("HTML").fill("<h1>Our club</h1>{{ content }}")
    shown = page.frame_locator("iframe.paper:not(.coming)").frame_locator("iframe")
    shown.get_by_role("heading", name="Our club").wait_for()
    shown.get_by_role("heading", name="A heading of the campaign").wait_for()
    page.get_by_role("button", name="Save template").click()
    page.get_by_text("is saved.").wait_for()
    page.get_by_text("default", exact=True).wait_for()


PAGES = (
    "/lists",
    "/lists/1",
    "/lists/1/edit",
    "/lists/1/delete",
    "/lists/new",
    "/subscribers",
    "/subscribers?search=nobody-is-called-so",
    "/subscribers?query=oops",
    "/subscribers/1",
    "/subscribers/1/edit",
    "/subscribers/1/erase",
    "/subscribers/2/unsubscribe",
    "/subscribers/3",
    "/subscribers/4",
    "/subscribers/import",
    "/subscribers/imports/1",
    "/subscribers/imports/2",
    "/templates",
    "/templates/1",
    "/templates/1/edit",
    "/templates/1/delete",
    "/templates/new",
)
REPORT = {
    "rows": 41_203, "imported": 41_180, "new": 40_002, "existing": 1178, "updated": 12, "duplicates": 21,
    "refused": 2, "subscribed": 41_102, "blocklisted": 7, "unsubscribed": 71, "need_smtputf8": 0,
    "refusals": [{"line": 17, "reason": "the e-mail address is empty"},
                 {"line": 40_001, "reason": "the attributes are not JSON"}],
}  # fmt: skip


@pytest.fixture
def busy(world: World, pool: Pool) -> None:
    lists, people = Lists(world.installation), People(world.installation)
    lists.create(
        {"name": "Friends", "description": "Met at the fair\nin spring", "tags": ["a", "b"]}, by="user:ada"
    )
    lists.create({"name": "Readers of the quarterly paper", "optin": "double"}, by="user:ada")
    for name in ("ada", "bob", "a-rather-long-name-that-has-to-break.in.a.narrow.window", "eve"):
        attributes = {"city": "London", "cats": ["Tom", "Kit"], "plan": {"seats": 4}}
        person = people.add(f"{name}@example.org", name.title()[:20], attributes, onto=[1], by="user:ada")
        people.subscribe([person], [2], "unconfirmed", by="user:ada")
    people.set_status([2], "blocklisted", by="user:bob")
    people.unsubscribe([1], [2], campaign=None, by="user:bob")
    people.erase([4], by="key:shop")
    lists.change(1, {"name": "Good friends"}, by="local")
    send_to(world, [1, 2, 3, 4])
    with pool.transaction() as cursor:
        number = imports.begin(
            cursor, by="user:ada", file="fair.csv", size=10**6, lists=[1], status="confirmed"
        )
        imports.end(cursor, number, summary=REPORT)
        number = imports.begin(
            cursor, by="user:ada", file="paper.csv", size=10**6, lists=[2], status="confirmed"
        )
        imports.still_alive(cursor, number, 430_000)
        body = content.keep(cursor, "<h1>Club</h1>{{ content }}<p>bye</p>")
    world.application.create_template({"name": "House style", "body": body}, number=1, by="user:ada")
    world.shown()


def send_to(world: World, people: list[int]) -> None:
    server = world.server("alpha.example.net", daily_limit=10)
    for name in ("Spring letter", "A campaign with a name that is rather long"):
        campaign = world.campaign(name)
        world.queued(campaign, people)
        world.accepted(campaign, people[2], server)
    world.failed(campaign, people[0], server, reply="550 5.1.1 " + "unbroken" * 20)
    world.deferred(campaign - 1, people[0], server, NOON + timedelta(hours=1))


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everybody_and_fits(page: Page, path: str) -> None:
    page.goto(path)
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    for width in (400, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("path", ["/lists", "/subscribers", "/subscribers/import", "/templates"])
def test_an_empty_house_is_for_everybody_too(page: Page, path: str) -> None:
    page.goto(path)
    assert violations(page) == []
