"""The description of the API, for programs and for people."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient


def test_every_address_of_the_api_is_described(app: Flask, client: FlaskClient) -> None:
    paths = client.get("/api/openapi.json").json["paths"]
    described = {(path, method.upper()) for path, methods in paths.items() for method in methods}
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/") or rule.endpoint.startswith("docs."):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert (path, method) in described


def test_the_description_says_what_an_operation_takes_and_gives(client: FlaskClient) -> None:
    answer = client.get("/api/openapi.json")
    assert answer.json["openapi"] == "3.1.0"
    items = answer.json["paths"]["/api/queue/items"]["get"]
    assert items["summary"] == "Single e-mails, with filters"
    assert [one["name"] for one in items["parameters"]][:2] == ["page", "per_page"]
    data = items["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert data == {"$ref": "#/components/schemas/QueueItemPage"}
    assert "waitingFor" in answer.json["components"]["schemas"]["QueueItem"]["properties"]
    status = answer.json["paths"]["/api/campaigns/{number}/status"]["put"]
    assert {"400", "404", "409", "415"} <= status["responses"].keys()
    assert status["security"] == [{"key": []}, {"basic": []}, {"token": []}]


def test_the_description_is_sent_once_to_who_has_it(client: FlaskClient) -> None:
    etag = client.get("/api/openapi.json").headers["ETag"]
    assert client.get("/api/openapi.json", headers={"If-None-Match": etag}).status_code == 304


def test_people_read_the_same_on_a_page(client: FlaskClient) -> None:
    page = client.get("/api/docs").text
    for path in client.get("/api/openapi.json").json["paths"]:
        assert f"<code>{path}</code>" in page
    assert 'id="problem-conflict"' in page
