"""While there is no user, whoever sits at the machine may do everything; nobody whom a proxy lets in."""

from __future__ import annotations

import socket

import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tests.web.serving import served
from tests.web.world import World

TRACES = {
    "X-Forwarded-For": "203.0.113.5",
    "X-Forwarded-Host": "post.example.com",
    "X-Forwarded-Proto": "https",
    "x-forwarded-anything": "1",
    "X-Real-IP": "203.0.113.5",
    "Forwarded": "for=203.0.113.5",
    "Via": "1.1 proxy",
    "True-Client-IP": "203.0.113.5",
    "CF-Connecting-IP": "203.0.113.5",
    "X-Azure-ClientIP": "203.0.113.5",
    "CDN-Loop": "cloudflare",
    "CF-Visitor": '{"scheme":"https"}',
    "Tailscale-User-Login": "someone@example.com",
    "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "Proxy-Connection": "keep-alive",
}
CHROMIUM = {
    "Accept": "text/html,application/xhtml+xml",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9",
    "Cache-Control": "max-age=0",
    "Connection": "keep-alive",
    "DNT": "1",
    "If-None-Match": '"1"',
    "Priority": "u=0, i",
    "Referer": "http://localhost/",
    "Sec-CH-UA-Platform": '"Linux"',
    "Sec-Fetch-Site": "same-origin",
    "Sec-GPC": "1",
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": "Mozilla/5.0",
}
JAVA = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAEAAEAA",
    "User-Agent": "Java",
}
CURL = {
    "Accept": "*/*",
    "Authorization": "Bearer none",
    "Expect": "100-continue",
    "Range": "bytes=0-",
    "TE": "gzip",
}
OWN_PAGES = {"Accept": "text/html", "X-Part": "probe", "Last-Event-ID": "7", "Idempotency-Key": "once"}


@pytest.mark.parametrize("name", TRACES)
def test_what_a_proxy_passes_on_is_nobodys(client: FlaskClient, name: str) -> None:
    headers = {name: TRACES[name]}
    refused = client.get("/api/queue/stats", headers=headers)
    assert refused.status_code == 403
    assert "postledger user create" in refused.json["message"]
    assert client.post("/api/lists", json={"name": "Ours"}, headers=headers).status_code == 403
    assert client.get("/metrics", headers=headers).status_code == 401


def test_an_empty_field_counts_as_well(client: FlaskClient) -> None:
    assert client.get("/api/queue/stats", headers={"X-Forwarded-For": ""}).status_code == 403


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some.from_regex(r"[A-Za-z][A-Za-z0-9!#$%&'*+.^`|~-]{0,30}", fullmatch=True))
@example("X-Whatever-Comes-Next")
@example("A")
def test_a_field_that_nobody_has_thought_of_counts_as_well(client: FlaskClient, name: str) -> None:
    known = {"host", "cookie", "te", "dnt", "range", "origin"}
    if name.lower() in known or name.lower().startswith(("accept", "content-", "if-", "sec-")):
        return
    assert client.get("/api/queue/stats", headers={name: "1"}).status_code == 403


@pytest.mark.parametrize("name", ["X_Forwarded_For", "x_real_ip", "Tailscale_User_Login", "Client_IP"])
def test_a_field_with_underscores_counts_as_well(world: World, database_url: str, name: str) -> None:
    """Which never arrive at the application: the server drops them."""
    with served(database_url) as (process, port):
        assert process.stdout is not None
        process.stdout.readline()
        asked = f"http://127.0.0.1:{port}/api/queue/stats"
        assert requests.get(asked, headers={name: "203.0.113.5"}, timeout=60).status_code == 403
        assert requests.get(asked, timeout=60).status_code == 200


@pytest.mark.parametrize(
    "host", ["post.example.com", "127.0.0.1.example.com", "0.0.0.0", "localhost.", "[::2]"]
)
def test_a_name_that_is_not_this_machines_is_nobodys(client: FlaskClient, host: str) -> None:
    assert client.get("/api/queue/stats", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("headers", [CHROMIUM, JAVA, CURL, OWN_PAGES])
def test_what_browsers_and_programs_send_is_this_machines(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    assert client.get("/api/queue/stats", headers=headers).status_code in (200, 304)


def test_people_who_come_through_a_proxy_are_told_what_to_do(client: FlaskClient) -> None:
    headers = {"Accept": "text/html", "X-Forwarded-For": "203.0.113.5"}
    answer = client.get("/users", headers=headers, follow_redirects=True)
    assert answer.request.path == "/sign-in"
    assert "There are no users yet, and this request may have come through a proxy." in answer.text


def test_whoever_sits_at_the_machine_needs_nothing(client: FlaskClient) -> None:
    assert client.get("/api/queue/stats").status_code == 200
    assert client.get("/users", headers={"Accept": "text/html"}).status_code == 200


def test_nginx_as_it_comes_is_known_by_its_version_of_http(address: str) -> None:
    """`proxy_pass http://127.0.0.1:8025` and nothing else sends HTTP/1.0 and no field of its own."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            f"GET /api/queue/stats HTTP/1.0\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
        )
        assert b" 403 " in connection.makefile("rb").readline()
