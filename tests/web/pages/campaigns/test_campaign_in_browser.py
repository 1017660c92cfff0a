"""A campaign's life in a real browser, with a real processor and a mail server of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from postledger.sink.sink import Sink
from projections.following import schema
from storage.postgres.pool import Pool
from tests.sending.world import World
from tests.web.applications import application
from web.http.settings import WebSettings

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def sending(database_url: str, pool: Pool) -> Iterator[World]:
    schema.create(pool)
    world = World(database_url)
    yield world
    world.close()


@pytest.fixture
def app(sending: World) -> Iterator[Flask]:
    with application(sending.installation, WebSettings(streams=3)) as made:
        yield made


def write(page: Page, name: str) -> None:
    page.goto("/campaigns")
    page.get_by_role("link", name=re.compile("New campaign|Create the first")).first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Subject").fill("Hello {{ subscriber.first_name }}")
    page.get_by_label("Body", exact=True).fill("<h1>Dear {{ subscriber.first_name }}</h1>")
    page.get_by_label("Everybody").check()


def expect_preview(page: Page, words: str) -> None:
    """In the newest preview; the one before it stays until it is there."""
    paper = page.frame_locator("iframe.paper:not(.coming)")
    paper.frame_locator("iframe").get_by_text(words, exact=True).wait_for()


def test_written_previewed_estimated_started_and_watched_to_its_end(page: Page, sending: World) -> None:
    with Sink() as sink, sending.processor():
        sending.add_server("alpha", sink)
        sending.add_people(30)
        write(page, "Spring letter")
        expect_preview(page, "Dear P")
        page.get_by_label("Body", exact=True).fill("<h1>Welcome {{ subscriber.first_name }}</h1>")
        expect_preview(page, "Welcome P")
        page.get_by_role("button", name="Save and see the estimate").click()
        assert page.get_by_role("heading", level=1).text_content() == "Completes today"
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url(re.compile(r"/campaigns/\d+$"))
        page.locator("[data-state=finished]").wait_for()
        assert page.locator("[data-key=sent] .figure").text_content() == "30"
        assert page.get_by_text("100 %").first.is_visible()
        assert page.get_by_text("Original estimate").is_visible()
        assert len(sink.messages) == 30


def test_paused_and_cancelled_for_a_reason(page: Page, sending: World) -> None:
    with Sink(latency=0.05) as sink, sending.processor():
        sending.add_server("alpha", sink, max_conns=1)
        sending.add_people(500)
        write(page, "Long letter")
        page.get_by_role("button", name="Save draft").click()
        page.get_by_role("link", name="Estimate and start").click()
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_role("link", name="Pause").click()
        page.get_by_label("Reason").fill("The second link is wrong")
        page.get_by_role("button", name="Pause").click()
        page.locator("[data-state=paused]").wait_for()
        assert page.locator(".state-line").get_by_text("The second link is wrong").is_visible()
        page.get_by_role("link", name="Resume").click()
        page.get_by_label("Reason").fill("The link is mended")
        page.get_by_role("button", name="Resume").click()
        page.locator("[data-state=running]").wait_for()
        page.get_by_role("link", name="Cancel", exact=True).click()
        page.get_by_label("Reason").fill("Sent by hand instead")
        page.get_by_role("button", name="Cancel the campaign").click()
        page.locator("[data-state=cancelled]").wait_for()
        history = page.locator(".story").text_content() or ""
        for said in ("Sent by hand instead", "The link is mended", "The second link is wrong"):
            assert said in history
        assert len(sink.messages) < 500


def test_a_preview_runs_no_script(page: Page, sending: World, complaints: list[str]) -> None:
    sending.add_people(1)
    write(page, "Sly letter")
    page.get_by_label("Body", exact=True).fill(
        "<h1>Hi</h1><script>document.querySelector('h1').textContent = 'pwned'</script>"
    )
    page.get_by_role("button", name="Show").click()
    expect_preview(page, "Hi")
    complaints[:] = [one for one in complaints if "Blocked script execution" not in one]
