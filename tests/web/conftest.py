"""A web application on a real database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import expect, sync_playwright

from domain.clock import VirtualClock
from projections.following import schema
from storage.accounts import accounts
from storage.postgres.pool import Pool
from tests.web.applications import application
from tests.web.serving import serving
from tests.web.world import NOON, World
from web.http.settings import WebSettings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    # A preview's frame makes way for the next one. In a process of its own, it would take with it whoever
    # waits for something in it.
    "--disable-features=IsolateSandboxedIframes",
]  # fmt: skip

PATIENCE = 60_000
"""Milliseconds that a loaded machine may take over what a page does at once."""

TELL_VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`CSP ${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing as it should be takes a tenth of a second each time."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "HASHER", hasher)
    monkeypatch.setattr(accounts, "DECOY", hasher.hash("nobody's"))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def world(pool: Pool, clock: VirtualClock) -> World:
    schema.create(pool)
    return World(pool, clock)


@pytest.fixture
def app(world: World) -> Iterator[Flask]:
    with application(world.installation, WebSettings(streams=3)) as made:
        yield made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    with serving(app) as served:
        yield served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("the browser tests need Chromium: bin/test installs it where it may")
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser had to say against a page."""
    return []


@pytest.fixture
def context(browser: Browser, address: str, complaints: list[str]) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        base_url=address, timezone_id="America/New_York", locale="en-US", reduced_motion="reduce"
    )
    opened.add_init_script(TELL_VIOLATIONS)
    opened.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield opened
    opened.close()
    assert complaints == []


@pytest.fixture
def page(context: BrowserContext, address: str, complaints: list[str]) -> Page:
    opened = context.new_page()
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request", lambda asked: None if asked.url.startswith(address) else complaints.append(asked.url)
    )
    return opened
