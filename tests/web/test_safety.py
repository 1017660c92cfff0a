"""Who is answered, with which headers, and how errors look."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.addresses.bind_address import BindRefused, check_bind
from domain.delivery import unsubscribe_token
from tests.web.world import KEY, World
from web.http.guard import CONTENT_SECURITY_POLICY

OTHERS = ["/nowhere", "/api/nowhere", "/static/base.css", "/static/../app.py"]


def addresses(app: Flask) -> list[str]:
    """One for each route, with 1 wherever a route leaves something open."""
    return sorted({re.sub("<[^>]+>", "1", rule.rule) for rule in app.url_map.iter_rules()} | set(OTHERS))


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_every_answer_has_the_security_headers(app: Flask, client: FlaskClient, method: str) -> None:
    for path in addresses(app):
        answer = client.open(path, method=method)
        policy = answer.headers["Content-Security-Policy"].removesuffix("; frame-src 'self'")
        assert policy == CONTENT_SECURITY_POLICY, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Referrer-Policy"] == "same-origin", path
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "camera=()" in answer.headers["Permissions-Policy"], path
        assert answer.headers["Cache-Control"], path
        if answer.status_code >= 400:
            assert answer.is_json, path
            assert answer.json["message"], path
        assert answer.status_code != 500, path
        answer.close()


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere", "/api/campaigns/x", "/unsubscribe/x/y"])
def test_what_is_not_there_is_told_to_programs_and_to_people(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.json == {
        "type": "/api/docs#problem-not-found", "title": "Not Found", "status": 404, "instance": path,
        "detail": "There is no such page.", "message": "There is no such page.",
    }  # fmt: skip
    page = client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.status_code == 404
    assert page.is_json == path.startswith("/api/")


@pytest.mark.parametrize("path", ["/api/queue/stats", "/api/queue/5/cancel", "/", "/healthz"])
def test_a_wrong_method_tells_the_right_ones(client: FlaskClient, path: str) -> None:
    answer = client.delete(path)
    assert answer.status_code == 405
    assert answer.headers["Allow"]
    assert answer.json["message"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]", "[x"])
def test_other_names_for_this_server_are_refused(client: FlaskClient, host: str) -> None:
    answer = client.get("/api/queue/stats", headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert answer.json["message"]


@pytest.mark.parametrize("host", ["127.0.0.1:8025", "localhost", "LOCALHOST:1", "[::1]:8025"])
def test_names_of_this_machine_are_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/api/queue/stats", headers={"Host": host}).status_code == 200


def test_the_public_name_leads_to_unsubscribing_alone(client: FlaskClient, world: World) -> None:
    token = unsubscribe_token.token(KEY, world.campaign(), 1)
    public = {"Host": "post.example.com"}
    assert client.get(f"/unsubscribe/{token}", headers=public).status_code == 200
    for path in ("/", "/api/queue/stats", "/metrics", "/live", "/unsubscribe"):
        assert client.get(path, headers=public).status_code == 421


def test_links_that_are_out_work_under_whatever_name_they_were_sent_with(
    client: FlaskClient, world: World
) -> None:
    (person,) = world.people(1)
    link = f"/unsubscribe/{unsubscribe_token.token(KEY, world.campaign(), person)}"
    before = {"Host": "post-of-last-year.example.com"}
    assert client.get(link, headers=before).status_code == 200
    assert client.post(link, data={"List-Unsubscribe": "One-Click"}, headers=before).status_code == 200
    assert client.get("/subscribers", headers=before).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_changes_for_pages_of_another_origin_are_refused(
    client: FlaskClient, world: World, headers: dict[str, str]
) -> None:
    campaign = world.campaign()
    answer = client.put(f"/api/campaigns/{campaign}/status", json={"status": "running"}, headers=headers)
    assert answer.status_code == 403
    assert world.application.campaign(campaign).state == "draft"


def test_changes_for_our_own_page_are_taken(client: FlaskClient, world: World) -> None:
    world.people(1)
    answer = client.put(
        f"/api/campaigns/{world.campaign()}/status",
        json={"status": "running"},
        headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"status":"running"}', "text/plain", 415),
        (b"status=running", "application/x-www-form-urlencoded", 415),
        (b"", None, 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 60000, "application/json", 400),
        (b'{"status":"' + b"x" * 70000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_no_small_json_object_is_refused(
    client: FlaskClient, world: World, body: bytes, content_type: str | None, status: int
) -> None:
    campaign = world.campaign()
    answer = client.put(f"/api/campaigns/{campaign}/status", data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json["message"]
    assert world.application.campaign(campaign).state == "draft"


def test_what_goes_wrong_inside_is_not_told_outside(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_cursor: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("projections.queue.queue.counts", fail)
    answer = app.test_client().get("/api/queue/stats")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json["message"]
    assert answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_may_be_bound(host: str) -> None:
    check_bind(host, has_admin=False)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "post.example.com", "", "localhost.example"]
)
def test_nothing_else_may_be_bound_before_somebody_can_sign_in(host: str) -> None:
    with pytest.raises(BindRefused, match="loopback"):
        check_bind(host, has_admin=False)
    check_bind(host, has_admin=True)
