"""The address by which a sign-in provider's users are found, as admins set it on a user's page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from tests.web.accounts.browsers import Browser, add_people, browser_of, is_signed_in
from tests.web.world import World
from web.http.services import services

OPERATOR, AUDITOR = 2, 3
PAGE = f"/users/{OPERATOR}"


@pytest.fixture(autouse=True)
def people(app: Flask, world: World) -> None:
    with app.app_context():
        add_people(Accounts(services()))


@pytest.fixture
def admin(app: Flask) -> Browser:
    return browser_of(app, "admin")


def events(world: World) -> list[tuple[str, Any]]:
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT topic, state FROM event_log WHERE topic <> 'user.added' ORDER BY position")
        return list(cursor.fetchall())


def typed(page: str) -> str:
    """What stands in the field."""
    found = re.search('name="email" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def test_an_admin_sets_and_takes_away_the_address_which_ends_the_user_s_sessions(
    app: Flask, admin: Browser, world: World
) -> None:
    operator = browser_of(app, "operator")
    answer = admin.post(f"{PAGE}/email", PAGE, email=" Olga@Example.com ")
    assert (answer.status_code, answer.location) == (303, PAGE)
    page = admin.get(PAGE).text
    assert "can sign in through the provider now" in page
    assert typed(page) == "olga@example.com"
    assert not is_signed_in(operator)
    assert admin.post(f"{PAGE}/email", PAGE, email="").status_code == 303
    page = admin.get(PAGE).text
    assert "can no longer sign in through a provider" in page
    assert typed(page) == ""
    assert events(world) == [
        ("user.email_changed", {"by": "user:admin", "removed": False}),
        ("user.email_changed", {"by": "user:admin", "removed": True}),
    ]


@pytest.mark.parametrize(
    ("email", "fault"),
    [
        ("olga", "must have exactly one @"),
        ("@example.com", "the part before the @ is missing"),
        ("olga@example", "the domain is not complete"),
        ("anna@example.com", "another user has this address"),
    ],
)
def test_what_is_no_address_or_somebody_else_s_is_refused_beside_the_field_and_not_lost(
    admin: Browser, world: World, email: str, fault: str
) -> None:
    admin.post(f"/users/{AUDITOR}/email", PAGE, email="anna@example.com")
    answer = admin.post(f"{PAGE}/email", PAGE, email=email)
    assert answer.status_code == 400
    assert re.search(f'id="fault-email">[^<]*{fault}', answer.text)
    assert typed(answer.text) == email
    assert typed(admin.get(PAGE).text) == ""
    assert len(events(world)) == 1


def test_only_admins_set_addresses(app: Flask, world: World) -> None:
    for name in ("operator", "auditor"):
        assert browser_of(app, name).post(f"{PAGE}/email", email="me@example.com").status_code == 403
    assert events(world) == []
