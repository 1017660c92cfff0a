"""What is declared of an operation is what is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from pydantic import Field

from web.http import access, errors
from web.http.contract import endpoint
from web.http.shapes import Answer, Body, Digits, Instant, Line, Paged, Whole


class Order(Body):
    name: Annotated[str, Line(10, 1)]
    count: Annotated[int, Whole(1, 5)] = 1
    kind: Literal["tea", "coffee"] = "tea"
    milk: bool = False
    at: Instant | None = None
    notes: list[Annotated[str, Line(3)]] = Field(default_factory=list, max_length=2)


class Wanted(Paged):
    table: Annotated[int, Digits(1, 20)] | None = None
    kinds: list[Literal["tea", "coffee"]] = Field(default_factory=list)


class Told(Answer):
    order: dict[str, Any]


@pytest.fixture
def client() -> FlaskClient:
    app, blueprint = Flask("contract"), Blueprint("orders", __name__)

    @endpoint(blueprint, "POST", "/api/orders", needs="public", body=Order, answer=Told, status=201)
    def order(body: Order) -> dict[str, Any]:
        """Order something."""
        return {"order": body}

    @endpoint(blueprint, "GET", "/api/orders/<int:number>", needs="public", query=Wanted, answer=Told)
    def orders(number: int, query: Wanted) -> dict[str, Any]:
        """What was ordered."""
        return {"number": number, "window": query.window(), "table": query.table, "kinds": query.kinds}

    errors.install(app)
    access.install(app)
    app.register_blueprint(blueprint)
    return app.test_client()


def test_a_body_is_read_and_answered(client: FlaskClient) -> None:
    answer = client.post(
        "/api/orders", json={"name": " Ann ", "count": 2.0, "at": "2026-03-06T08:00:00+01:00"}
    )
    assert answer.status_code == 201
    assert answer.json["data"]["order"] == {
        "name": "Ann", "count": 2, "kind": "tea", "milk": False, "at": "2026-03-06T07:00:00Z", "notes": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "name: is needed"),
        ({"name": ""}, "name: at least 1 characters"),
        ({"name": "x" * 11}, "name: at most 10 characters"),
        ({"name": "a\nb"}, "name: control characters are not taken"),
        ({"name": 5}, "name: a string is expected"),
        ({"name": None}, "name: a string is expected"),
        ({"name": "a", "count": 6}, "count: should be less than or equal to 5"),
        ({"name": "a", "count": True}, "count: a whole number is expected"),
        ({"name": "a", "count": "2"}, "count: a whole number is expected"),
        ({"name": "a", "milk": 1}, "milk: true or false is expected"),
        ({"name": "a", "kind": "beer"}, "kind: one of 'tea' or 'coffee' is expected"),
        ({"name": "a", "sugar": 1}, "sugar: there is no such field"),
        ({"name": "a", "at": 5}, "at: an instant such as 2026-03-06T08:00:00Z is expected"),
        ({"name": "a", "at": "2026-03-06T08:00:00"}, "at: the offset from UTC is missing"),
        ({"name": "a", "notes": ["1", "2345"]}, "notes.1: at most 3 characters"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named(client: FlaskClient, body: dict[str, Any], message: str) -> None:
    answer = client.post("/api/orders", json=body)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.json["message"] == answer.json["detail"] == message
    field, _, said = message.partition(": ")
    assert answer.json["errors"] == [{"pointer": "/" + field.replace(".", "/"), "detail": said}]
    assert answer.json["type"] == "/api/docs#problem-invalid"
    assert (answer.json["title"], answer.json["status"]) == ("Bad Request", 400)
    assert answer.json["instance"] == "/api/orders"


def test_every_field_that_is_wrong_is_named(client: FlaskClient) -> None:
    answer = client.post("/api/orders", json={"count": 0, "sugar": 1})
    assert [error["pointer"] for error in answer.json["errors"]] == ["/name", "/count", "/sugar"]


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b'{"name":"\xff"}', "application/json", 400),
        (b'{"name":"\\ud800"}', "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b'{"name":"a"}', "text/plain", 415),
        (b"", None, 415),
    ],
)
def test_what_is_no_json_object_is_refused(
    client: FlaskClient, content: bytes, content_type: str | None, status: int
) -> None:
    answer = client.post("/api/orders", data=content, content_type=content_type)
    assert answer.status_code == status
    assert answer.json["message"].startswith("The body ")


def test_a_query_is_read_from_its_texts(client: FlaskClient) -> None:
    answer = client.get("/api/orders/7?page=2&table=&kinds=tea,coffee&kinds=tea&unknown=1")
    assert answer.json["data"] == {
        "number": 7, "window": [2, 20], "table": None, "kinds": ["tea", "coffee", "tea"],
    }  # fmt: skip
    assert client.get("/api/orders/7?per_page=all").json["data"]["window"] == [1, 10_000]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=0", "page: a whole number from 1 to 1000000, not '0'."),
        ("page=1_0", "page: a whole number from 1 to 1000000, not '1_0'."),
        ("page=%C2%B2", "page: a whole number from 1 to 1000000, not '²'."),
        ("table=" + "9" * 5000, f"table: a whole number from 1 to 20, not '{'9' * 40}'."),
        ("per_page=51", "per_page: a whole number from 1 to 50 or all, not '51'."),
        ("kinds=beer", "kinds: one of 'tea' or 'coffee' is expected"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(client: FlaskClient, query: str, message: str) -> None:
    answer = client.get(f"/api/orders/7?{query}")
    assert answer.status_code == 400
    assert answer.json["message"] == message
    assert answer.json["errors"][0]["parameter"] == message.partition(":")[0]
