"""While there is no user, whoever sits at the machine may do everything; nobody whom a proxy lets in."""

from __future__ import annotations

import socket

import pytest
from flask.testing import FlaskClient

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
}


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


def test_people_who_come_through_a_proxy_are_told_what_to_do(client: FlaskClient) -> None:
    headers = {"Accept": "text/html", "X-Forwarded-For": "203.0.113.5"}
    answer = client.get("/users", headers=headers, follow_redirects=True)
    assert answer.request.path == "/sign-in"
    assert "There is no user yet, and this request came through a proxy." in answer.text


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
