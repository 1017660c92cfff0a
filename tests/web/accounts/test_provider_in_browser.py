"""Signing in through a provider of another site, in a real browser: cookies and redirects as they are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from application.accounts.provider import Provider
from domain.clock import VirtualClock
from tests.web.accounts.browsers import add_people
from tests.web.accounts.identity_provider import CLIENT, SECRET, IdentityProvider, identity_provider
from tests.web.applications import application
from tests.web.serving import serving
from tests.web.world import World
from web.http.services import services

if TYPE_CHECKING:
    from playwright.sync_api import Page

OPERATOR = 2


@pytest.fixture
def there(clock: VirtualClock) -> Iterator[IdentityProvider]:
    with identity_provider(clock, host="localhost") as provider:
        provider.claims = {"email": "olga@example.com", "email_verified": True}
        yield provider


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


@pytest.fixture
def app(world: World, there: IdentityProvider, port: int) -> Iterator[Flask]:
    installation = replace(world.installation, public_url=f"http://127.0.0.1:{port}")
    provider = Provider(
        issuer=there.address, client_id=CLIENT, client_secret=SECRET, label="Sign in with Ours"
    )
    with application(installation, provider=provider) as made:
        with made.app_context():
            add_people(Accounts(services()))
            Accounts(services()).set_email(OPERATOR, "olga@example.com", by="test")
        yield made


@pytest.fixture
def address(app: Flask, port: int) -> Iterator[str]:
    with serving(app, port) as served:
        yield served


def test_a_person_goes_to_the_provider_and_comes_back_to_the_page_they_wanted(
    page: Page, address: str, there: IdentityProvider, complaints: list[str]
) -> None:
    page.goto("/campaigns?search=spring")
    page.get_by_role("link", name="Sign in with Ours").click()
    page.wait_for_url(f"{address}/campaigns?search=spring")
    assert page.get_by_role("link", name="operator", exact=True).first.is_visible()
    assert page.get_by_label("Search").input_value() == "spring"
    assert complaints, "the provider was visited"
    assert all(visited.startswith(f"{there.address}/authorize?") for visited in complaints)
    complaints.clear()


def test_who_is_unknown_here_is_told_so_on_the_form(
    page: Page, address: str, there: IdentityProvider, complaints: list[str]
) -> None:
    there.claims["email"] = "nobody@example.com"
    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in with Ours").click()
    assert "Ask an admin" in str(page.get_by_role("alert").text_content())
    page.goto("/queue")
    assert page.url == f"{address}/sign-in?next=/queue"
    complaints.clear()
