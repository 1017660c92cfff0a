"""A request that is sent again with its key has one effect."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from application.servers import Servers
from tests.web.world import NOON, World

KEY = {"Idempotency-Key": "2b1f0c5e-6a7d-4d0e-9a57-0a3b2f1c9d11"}
SERVER = {"name": "alpha", "host": "smtp.example.com", "from_email": "news@alpha.example.com"}


def add(client: FlaskClient, key: dict[str, str] = KEY, **changes: Any) -> TestResponse:
    return client.post("/api/servers", json={**SERVER, **changes}, headers=key)


def servers(client: FlaskClient) -> list[str]:
    return [server["name"] for server in client.get("/api/servers").json["data"]]


def test_the_second_time_the_first_answer_is_given(client: FlaskClient) -> None:
    first, second = add(client), add(client)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert first.headers["ETag"] == second.headers["ETag"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert servers(client) == ["alpha"]


def test_without_a_key_every_request_counts(client: FlaskClient) -> None:
    assert add(client, {}).status_code == 201
    assert add(client, {}).status_code == 400
    assert add(client, {}, name="bravo").status_code == 201


def test_another_request_with_the_same_key_is_refused(client: FlaskClient) -> None:
    add(client)
    answer = add(client, name="bravo")
    assert (answer.status_code, answer.json["type"]) == (422, "/api/docs#problem-key-reused")
    assert servers(client) == ["alpha"]


def test_the_same_form_with_another_boundary_is_the_same_request(client: FlaskClient) -> None:
    def send(name: str, boundary: str) -> TestResponse:
        part = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n--{boundary}--\r\n'
        )
        kind = f"multipart/form-data; boundary={boundary}"
        return client.post("/api/lists", data=part.encode(), headers=KEY, content_type=kind)

    first, second = send("Friends", "one"), send("Friends", "two")
    assert (first.json["data"]["name"], second.json) == ("Friends", first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert send("Family", "three").status_code == 422


def test_what_was_refused_leaves_the_key_free(client: FlaskClient) -> None:
    assert add(client, host="no host").status_code == 400
    assert add(client).status_code == 201


def test_a_key_is_forgotten_after_a_day(client: FlaskClient, world: World) -> None:
    add(client)
    world.clock.advance_to(NOON + timedelta(hours=24, seconds=1))
    assert add(client).status_code == 400, "the name is taken: it was carried out again"
    assert add(client, name="bravo").status_code == 201


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ümlaut"])
def test_a_key_is_visible_ascii(client: FlaskClient, key: str) -> None:
    answer = add(client, {"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json["message"].startswith("Idempotency-Key: ")


def test_while_the_first_is_under_way_the_second_is_put_off(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, told = Barrier(2, timeout=60), Barrier(2, timeout=60)
    really = Servers.add

    def slow(*given: Any, **named: Any) -> int:
        begun.wait()
        told.wait()
        return really(*given, **named)

    monkeypatch.setattr(Servers, "add", slow)
    answers: list[TestResponse] = []
    first = Thread(target=lambda: answers.append(add(app.test_client())))
    first.start()
    begun.wait()
    second = add(app.test_client())
    told.wait()
    first.join()
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert answers[0].status_code == 201
    assert servers(app.test_client()) == ["alpha"]


def test_what_failed_inside_is_not_done_again_unseen(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any, **_named: Any) -> int:
        raise RuntimeError("half done")

    with monkeypatch.context() as patch:
        patch.setattr(Servers, "add", fail)
        assert add(client).status_code == 500
    assert add(client).status_code == 409
    world.clock.advance_to(NOON + timedelta(minutes=3))
    answer = add(client)
    assert answer.status_code == 409
    assert "Look whether it was carried out" in answer.json["message"]


def test_the_table_tells_neither_key_nor_request(client: FlaskClient, world: World) -> None:
    add(client)
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT key, request FROM idempotency_keys")
        ((key, request),) = cursor.fetchall()
    assert KEY["Idempotency-Key"].encode() not in bytes(key) + bytes(request)
    assert (len(bytes(key)), len(bytes(request))) == (32, 32)
