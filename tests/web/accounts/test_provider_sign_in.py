"""Signing in through an OpenID Connect provider, and all that proves nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from joserfc.jwk import OctKey, RSAKey

from application.accounts.accounts import Accounts
from application.accounts.provider import Provider
from domain.accounts.one_time_password import STEP, code_at, new_secret
from domain.clock import VirtualClock
from tests.web.accounts.browsers import add_people, token_in
from tests.web.accounts.identity_provider import CLIENT, SECRET, IdentityProvider, identity_provider
from tests.web.accounts.visitor import HERE, Visitor
from tests.web.applications import application
from tests.web.world import World
from web.http.services import services

OPERATOR, AUDITOR = 2, 3
VERIFIED = {"email": "Olga@example.com", "email_verified": True}


@pytest.fixture
def there(clock: VirtualClock) -> Iterator[IdentityProvider]:
    with identity_provider(clock) as provider:
        provider.claims = dict(VERIFIED)
        yield provider


@pytest.fixture
def app(world: World, there: IdentityProvider) -> Iterator[Flask]:
    installation = replace(world.installation, public_url=HERE)
    provider = Provider(
        issuer=there.address, client_id=CLIENT, client_secret=SECRET, label="Sign in with Ours"
    )
    with application(installation, provider=provider) as made:
        yield made


@pytest.fixture(autouse=True)
def accounts(app: Flask, world: World) -> Accounts:
    with app.app_context():
        made = Accounts(services())
    add_people(made)
    made.set_email(OPERATOR, "olga@example.com", by="test")
    return made


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app)


def events(world: World) -> list[tuple[str, dict[str, Any]]]:
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT topic, state FROM event_log WHERE topic <> 'user.added' ORDER BY position")
        return list(cursor.fetchall())


def test_a_person_is_known_by_the_verified_address_once_and_by_the_provider_s_subject_from_then_on(
    app: Flask, visitor: Visitor, there: IdentityProvider, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert "Sign in with Ours" in visitor.get("/sign-in").text
    answer = visitor.sign_in(there, "/queue")
    assert (answer.status_code, answer.location) == (303, "/queue")
    assert visitor.is_signed_in()
    there.claims = {"email": "new@example.com", "email_verified": False}
    again = Visitor(app)
    assert again.sign_in(there).status_code == 303
    assert again.is_signed_in()
    assert events(world) == [
        ("user.email_changed", {"by": "test", "removed": False}),
        ("user.linked", {"by": "user:operator", "issuer": there.address}),
    ]
    assert caplog.text.count("operator signed in from 127.0.0.1") == 2
    assert "olga" not in caplog.text.lower()


def test_where_the_id_token_has_no_address_the_user_information_has(
    visitor: Visitor, there: IdentityProvider
) -> None:
    there.claims, there.userinfo = {}, {"sub": "s-1", **VERIFIED}
    assert visitor.sign_in(there).status_code == 303
    assert visitor.is_signed_in()


def test_user_information_of_somebody_else_counts_for_nothing(
    visitor: Visitor, there: IdentityProvider
) -> None:
    there.claims, there.userinfo = {}, {"sub": "s-2", **VERIFIED}
    assert visitor.sign_in(there).status_code == 403
    assert not visitor.is_signed_in()


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody-else"},
        {"aud": ["postledger", "somebody-else"]},
        {"aud": ["postledger", "somebody-else"], "azp": "somebody-else"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"at_hash": "of-another-token"},
    ],
    ids=str,
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    visitor: Visitor, there: IdentityProvider, claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    there.claims |= claims
    answer = visitor.sign_in(there)
    assert answer.status_code == 403
    assert "did not prove who you are" in answer.text
    assert not visitor.is_signed_in()
    assert "sign-in through the provider from 127.0.0.1 failed" in caplog.text


def test_only_the_provider_s_own_key_proves_anything(visitor: Visitor, there: IdentityProvider) -> None:
    there.signs_with = RSAKey.generate_key(2048, {"kid": "1"})
    assert visitor.sign_in(there).status_code == 403
    there.algorithm, there.signs_with = "HS256", OctKey.import_key(SECRET)
    assert visitor.sign_in(there).status_code == 403
    there.algorithm, there.signs_with = "RS256", None
    assert visitor.sign_in(there).status_code == 303


def test_an_answer_serves_once_and_in_its_own_browser_alone(
    app: Flask, visitor: Visitor, there: IdentityProvider, clock: VirtualClock
) -> None:
    answer = there.approve(visitor.leave())
    other = Visitor(app)
    other.get("/sign-in")
    for wrong in (
        answer,
        re.sub("state=[^&]*", "state=guessed", answer),
        f"{HERE}/sign-in/provider/back?code=code-0",
    ):
        refused = other.get(wrong)
        assert refused.status_code == 403
        assert "started in another browser" in refused.text
    assert "/token" not in there.asked, "the code was kept back"
    assert visitor.get(answer).status_code == 303
    visitor.client.delete_cookie("__Host-postledger-session", domain="post.example.com")
    assert visitor.get(answer).status_code == 403
    late = there.approve(visitor.leave())
    clock.advance_to(clock.now() + timedelta(minutes=11))
    assert visitor.get(late).status_code == 403


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_links_nobody(
    visitor: Visitor, there: IdentityProvider, verified: object, world: World
) -> None:
    there.claims["email_verified"] = verified
    answer = visitor.sign_in(there)
    assert answer.status_code == 403
    assert "has not verified your e-mail address" in answer.text
    assert [topic for topic, _ in events(world)] == ["user.email_changed"]


def test_unknown_and_disabled_people_are_refused_and_nobody_is_added(
    visitor: Visitor, there: IdentityProvider, world: World, accounts: Accounts
) -> None:
    there.claims["email"] = "stranger@example.com"
    answer = visitor.sign_in(there)
    assert answer.status_code == 403
    assert "Ask an admin" in answer.text
    there.claims["email"] = "olga@example.com"
    accounts.disable_user(OPERATOR, by="test")
    assert visitor.sign_in(there).status_code == 403
    assert not visitor.is_signed_in()
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT count(*), (SELECT count(*) FROM identities) FROM users")
        assert cursor.fetchone() == (3, 0)


def test_an_address_that_was_given_to_another_person_opens_nothing_until_an_admin_says_so(
    app: Flask, visitor: Visitor, there: IdentityProvider, accounts: Accounts
) -> None:
    assert visitor.sign_in(there).status_code == 303
    there.claims["sub"] = "s-2"
    other = Visitor(app)
    assert other.sign_in(there).status_code == 403
    accounts.set_email(OPERATOR, None, by="test")
    assert not visitor.is_signed_in()
    accounts.set_email(OPERATOR, "olga@example.com", by="test")
    assert other.sign_in(there).status_code == 303


def test_who_has_a_second_factor_here_is_asked_for_it(
    visitor: Visitor, there: IdentityProvider, accounts: Accounts, clock: VirtualClock
) -> None:
    secret = new_secret()
    accounts.set_second_factor(
        OPERATOR, secret, code_at(secret, int(clock.now().timestamp()) // STEP), by="test"
    )
    clock.advance_to(clock.now() + timedelta(seconds=STEP))
    asked = visitor.sign_in(there, "/queue")
    assert (asked.status_code, visitor.is_signed_in()) == (200, False)
    pending = re.search('name="pending" value="([^"]+)"', asked.text)
    assert pending
    given = {"csrf": token_in(asked.text), "pending": pending[1]}
    right = code_at(secret, int(clock.now().timestamp()) // STEP)
    assert visitor.post("/sign-in/provider/code", **given, code="000000").status_code == 403
    assert visitor.post("/sign-in/provider/code", **{**given, "csrf": ""}, code=right).status_code == 403
    assert not visitor.is_signed_in()
    entered = visitor.post("/sign-in/provider/code", **given, code=right)
    assert (entered.status_code, entered.location) == (303, "/queue")
    assert visitor.is_signed_in()
    assert visitor.post("/sign-in/provider/code", **given, code=right).status_code == 403


def test_codes_are_limited_as_they_are_after_a_password(
    visitor: Visitor, there: IdentityProvider, accounts: Accounts, clock: VirtualClock
) -> None:
    secret = new_secret()
    accounts.set_second_factor(
        OPERATOR, secret, code_at(secret, int(clock.now().timestamp()) // STEP), by="test"
    )
    asked = visitor.sign_in(there)
    pending = re.search('name="pending" value="([^"]+)"', asked.text)
    assert pending
    given = {"csrf": token_in(asked.text), "pending": pending[1], "code": "000000"}
    statuses = [visitor.post("/sign-in/provider/code", **given).status_code for _ in range(6)]
    assert statuses == [403] * 5 + [429]


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_the_way_back_leads_nowhere_else(visitor: Visitor, there: IdentityProvider, wanted: str) -> None:
    assert visitor.sign_in(there, wanted).location == "/"


def test_a_refusal_of_the_provider_is_told_without_its_words(
    visitor: Visitor, there: IdentityProvider
) -> None:
    state = re.search("state=([^&]+)", visitor.leave())
    assert state
    answer = visitor.get(
        f"/sign-in/provider/back?state={state[1]}&error=access_denied&error_description=Call+us"
    )
    assert answer.status_code == 403
    assert "access_denied" in answer.text
    assert "Call us" not in answer.text


def test_a_provider_that_is_away_leaves_the_password(
    visitor: Visitor, there: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    address = there.approve(visitor.leave())
    there.is_ill = True
    for answer in (visitor.get(address), visitor.get("/sign-in/provider")):
        assert answer.status_code == 503
        assert "does not respond correctly" in answer.text
        assert 'name="password"' in answer.text
    there.is_ill, there.issuer = False, "https://elsewhere.example"
    assert visitor.get("/sign-in/provider").status_code == 503
    assert "of another issuer" in caplog.text


def test_under_another_name_the_public_one_is_told(app: Flask) -> None:
    answer = app.test_client().get("/sign-in/provider", headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert f"{HERE}/sign-in" in answer.text


def test_no_policy_of_the_browser_is_loosened(visitor: Visitor) -> None:
    policy = visitor.get("/sign-in").headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    assert "127.0.0.1" not in policy
