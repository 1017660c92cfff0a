"""Every operation that takes a body takes time and memory that grow as the body does, whatever its shape:
asked through the door itself, so that no parser behind it can be forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.accounts.accounts import Accounts
from tests.attacks.access.test_hostile_input import allow_many
from tests.attacks.content.growth import GROWTH, JSON_SHAPES, Text, growth_of, peak, seconds
from tests.web.world import World

LONGEST_BODY = 30_000
QUICK = 0.1
LITTLE = 4e6
"""Bytes: JSON that is parsed takes up to thirty for each of its own, and the errors have a bound."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Door(NamedTuple):
    method: str
    path: str
    kind: str
    fields: tuple[str, ...]


def doors(document: dict[str, Any]) -> Iterator[Door]:
    """One for each kind of body."""
    seen = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                schema = content["schema"]
                name = schema.get("$ref", path)
                if "$ref" in schema:
                    schema = document["components"]["schemas"][name.rpartition("/")[2]]
                if (name, kind) not in seen:
                    seen.add((name, kind))
                    yield Door(method.upper(), path, kind, tuple(schema.get("properties", {})))


def asked(client: FlaskClient, door: Door, key: str) -> Callable[[str], None]:
    """What is sent is the same text in each field, or the body alone."""
    where = door.path.replace("{number}", "1")
    headers = {"Authorization": f"Bearer {key}"}

    def ask(text: str) -> None:
        given: dict[str, Any] = {"data": text, "content_type": door.kind}
        if door.kind in FORMS:
            given["data"] = dict.fromkeys(door.fields, text)
        answer = client.open(where, method=door.method, headers=headers, **given)
        assert answer.status_code < 500, answer.text[:200]
        assert len(answer.data) < 50_000
        answer.close()

    return ask


def bodies(door: Door, shape: Text) -> Iterator[Text]:
    share = max(1, len(door.fields))
    if door.kind in FORMS:
        yield lambda size: shape(size // share)
        return
    yield shape
    yield (
        lambda size: "{" + ",".join(f"{json.dumps(one)}:{shape(size // share)}" for one in door.fields) + "}"
    )


@pytest.fixture
def key(app: Flask, accounts: Accounts) -> str:
    app.extensions["postledger.waiters"].close()  # so that nobody waits for what never comes
    return accounts.create_key("program", ["read", "write", "send", "configure"], by="test")[1]


def test_no_shape_of_a_body_multiplies_what_it_takes(client: FlaskClient, world: World, key: str) -> None:
    found, tried = [], 0
    for door in doors(client.get("/api/openapi.json").json):
        allow_many(world)
        ask = asked(client, door, key)
        for name, shape in JSON_SHAPES.items():
            for body in bodies(door, shape):
                tried += 1
                if (
                    growth_of(peak(ask), body, LITTLE, LONGEST_BODY) > GROWTH
                    or growth_of(seconds(ask), body, QUICK, LONGEST_BODY) > GROWTH
                ):
                    found.append(f"{door.method} {door.path} ({door.kind}): {name}")
    assert found == []
    assert tried > 400


def test_a_long_name_over_many_wrong_elements_is_refused_in_a_few_words(
    client: FlaskClient, key: str
) -> None:
    answer = client.post(
        "/api/forecast", data=JSON_SHAPES["a long name over many wrong"](64_000),
        content_type="application/json", headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert answer.status_code == 400
    assert len(answer.json["errors"]) == 20
    assert answer.json["errors"][1]["pointer"] == "/" + "K" * 40 + "/1"


def test_of_very_many_errors_only_their_number_is_told(client: FlaskClient, key: str) -> None:
    answer = client.post(
        "/api/forecast", data=JSON_SHAPES["many names"](45_000),
        content_type="application/json", headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert answer.status_code == 400
    assert answer.json["message"] == "The body is wrong in 5000 places."
