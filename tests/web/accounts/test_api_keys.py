"""Programs with keys."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.accounts.accounts import Accounts
from domain.clock import VirtualClock
from storage.accounts import api_keys
from tests.web.accounts.browsers import browser_of
from tests.web.world import World
from web.http.identity import PER_KEY, PER_NETWORK, credentials

STATS = "/api/queue/stats"


pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
def key(accounts: Accounts) -> str:
    return accounts.create_key("n8n", ["read", "send"], by="test")[1]


def basic(name: str, key: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


def status(client: FlaskClient, authorization: str, path: str = STATS) -> int:
    return client.get(path, headers={"Authorization": authorization}).status_code


def test_a_key_is_taken_in_three_ways(client: FlaskClient, key: str) -> None:
    for authorization in (
        f"Bearer {key}",
        f"bearer {key}",
        basic("n8n", key),
        basic("N8N", key),
        f"token n8n:{key}",
    ):
        assert status(client, authorization) == 200


def test_clients_find_out_whether_their_key_is_right(client: FlaskClient, key: str) -> None:
    assert status(client, basic("n8n", key), "/api/health") == 200
    for wrong in (f"Bearer {key[:-1]}", basic("n8n", "guess"), basic("other", key), "token n8n:", "nonsense"):
        assert status(client, wrong, "/api/health") == 403
    assert client.get("/api/health").status_code == 200, "a monitor has none"


def test_what_is_no_key_is_refused_as_listmonk_refuses_it(client: FlaskClient, key: str) -> None:
    for authorization in (
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {key[:-1]}",
        f"Bearer {key}{'x' * 10_000}",
        key,
        f"Digest {key}",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        basic("other", key),
        basic("", key),
        f"token {key}",
        f"token other:{key}",
        f"Bearer {key.upper()}",
    ):
        answer = client.get(STATS, headers={"Authorization": authorization})
        assert answer.status_code in (403, 429), authorization
        assert answer.json is not None
        assert "message" in answer.json
        assert "WWW-Authenticate" not in answer.headers


def test_a_key_does_what_its_scopes_say_under_its_own_name(
    client: FlaskClient, world: World, key: str
) -> None:
    world.people(1)
    campaign = world.campaign()
    world.people(1)
    world.shown()
    bearer = {"Authorization": f"Bearer {key}"}
    answer = client.put(f"/api/campaigns/{campaign}/status", json={"status": "running"}, headers=bearer)
    assert answer.status_code == 200
    assert answer.json["data"]["updated_by"] == "key:n8n"
    assert client.get("/users/new", headers=bearer).status_code == 403


def test_a_revoked_key_is_refused(client: FlaskClient, accounts: Accounts, key: str) -> None:
    assert status(client, f"Bearer {key}") == 200
    accounts.revoke_key(1, by="test")
    assert status(client, f"Bearer {key}") == 403


def test_an_expired_key_is_refused(client: FlaskClient, accounts: Accounts, clock: VirtualClock) -> None:
    _, key = accounts.create_key("short", ["read"], clock.now() + timedelta(hours=1), by="test")
    assert status(client, f"Bearer {key}") == 200
    clock.advance_to(clock.now() + timedelta(hours=1))
    assert status(client, f"Bearer {key}") == 403


def test_a_key_that_asks_too_often_has_to_wait(
    client: FlaskClient, key: str, accounts: Accounts, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.http.identity.PER_KEY", PER_KEY.__class__(burst=3, per_second=0.5))
    other = accounts.create_key("other", ["read"], by="test")[1]
    assert [status(client, f"Bearer {key}") for _ in range(4)] == [200] * 3 + [429]
    refused = client.get(STATS, headers={"Authorization": f"Bearer {key}"})
    assert refused.headers["Retry-After"] == "3"
    assert status(client, f"Bearer {other}") == 200
    clock.advance_to(clock.now() + timedelta(seconds=2))
    assert status(client, f"Bearer {key}") == 200


def test_guessing_keys_is_slow(client: FlaskClient, key: str) -> None:
    guesses = [status(client, f"Bearer {api_keys.written('0' * 10, 'x' * 43)}") for _ in range(62)]
    assert guesses[0] == 403
    assert guesses[-1] == 429
    assert len([guess for guess in guesses if guess == 403]) == PER_NETWORK.burst
    assert status(client, f"Bearer {key}") == 200, "whoever has a key is not held up"


def test_a_signed_in_page_may_ask_the_api_but_changes_need_its_token(app: Flask, world: World) -> None:
    world.people(1)
    campaign = world.campaign()
    world.people(1)
    world.shown()
    browser = browser_of(app, "operator")
    assert browser.client.get(STATS).status_code == 200
    path, body = f"/api/campaigns/{campaign}/status", {"status": "running"}
    assert browser.client.put(path, json=body).status_code == 403
    assert browser.client.put(path, json=body, headers={"X-CSRF-Token": "0" * 64}).status_code == 403
    assert world.application.campaign(campaign).state == "draft"
    token = {"X-CSRF-Token": browser.token("/account")}
    answer = browser.client.put(path, json=body, headers=token)
    assert answer.status_code == 200
    assert answer.json["data"]["updated_by"] == "user:operator"


def test_a_wrong_key_is_not_made_good_by_a_session(app: Flask) -> None:
    browser = browser_of(app, "admin")
    assert status(browser.client, "Bearer nothing") == 403


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Bearer plk_a_b_c", (None, "plk_a_b_c")),
        ("TOKEN me:plk_a_b_c", ("me", "plk_a_b_c")),
        ("token me:with:colons", ("me", "with:colons")),
        ("Basic bWU6cGxr", ("me", "plk")),
        ("token plk", None),
        ("Negotiate x", None),
        ("", None),
    ],
)
def test_headers_are_read(header: str, found: tuple[str | None, str] | None) -> None:
    assert credentials(header) == found
