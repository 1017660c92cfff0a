"""Whatever is sent to whichever field of whichever route is taken, or refused with a clear error. Routes and
fields are those of the OpenAPI document and of the forms on the pages."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.accounts.accounts import Accounts
from application.campaigns.templates import Templates
from tests.attacks.access.examples import example, resolved
from tests.web.accounts.browsers import PASSWORD, Browser, browser_of
from tests.web.world import World

NUL, LONE, LONG = "a\x00b", "a\ud800b", "x" * 20_000
TEXTS = [
    NUL,
    "\x1b[2J",
    "a\x85\u2028\u202eb",
    LONG,
    "",
    " ",
    "'\"<>&;--%s{{7*7}}{%",
    "-1",
    "9" * 40,
    "\ufeff\U0010ffff",
]
REFUSED = (400, 401, 403, 404, 405, 409, 415)
ODD: list[Any] = [*TEXTS, LONE, None, True, -1, 2**63, 1e308, [], [NUL], {}, {NUL: NUL}, {"a": [LONE]}, [[1]]]


class Form(NamedTuple):
    page: str
    action: str
    fields: tuple[tuple[str, str], ...]


class Forms(HTMLParser):
    """Those of a page that are posted, with the values that they show; and where the page leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.forms: list[Form] = []
        self.links: set[str] = set()
        self._action: str | None = None
        self._fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.add(has.get("href", "").partition("#")[0])
        if tag == "form" and has.get("method", "").lower() == "post":
            self._action, self._fields = has.get("action") or self.page, {}
        elif tag == "form":
            self._action = None
        if tag in ("input", "textarea", "select", "button") and has.get("name") and self._action is not None:
            self._fields.setdefault(
                has["name"], has.get("value", "1" if has.get("type") == "checkbox" else "")
            )

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._action is not None:
            self.forms.append(Form(self.page, self._action, tuple(self._fields.items())))
            self._action = None


@pytest.fixture
def house(app: Flask, world: World, accounts: Accounts) -> World:
    """One of everything that has a page."""
    server, people = world.server("alpha"), world.people(3)
    draft, sent = world.campaign("Draft"), world.campaign("Sent")
    del draft
    world.queued(sent, people)
    world.accepted(sent, people[0], server)
    world.failed(sent, people[1], server)
    Templates(world.installation).create(
        {"name": "Plain", "body": '<p>{{ template "content" . }}</p>'}, by="test"
    )
    accounts.create_key("reader", ["read"], by="test")
    world.shown()
    return world


NUMBER = re.compile(r"\d+")
NO_PAGES = ("/api/", "/static/", "/live", "/metrics")


def kind_of(path: str) -> str:
    return NUMBER.sub("N", path.partition("?")[0])


def forms_of(browser: Browser) -> list[Form]:
    """Every form that an admin finds by following links, looking at two pages of each kind."""
    waiting, looked = (
        ["/account/second-factor", "/campaigns/2/pause", "/campaigns/1/start", "/"],
        Counter[str](),
    )
    found: dict[tuple[str, frozenset[str]], Form] = {}
    while waiting:
        path = waiting.pop()
        looked[kind_of(path)] += 1
        if (
            looked[kind_of(path)] > 2
            or not path.startswith("/")
            or path.startswith(NO_PAGES)
            or ".csv" in path
        ):
            continue
        answer = browser.get(path)
        assert answer.status_code < 500, path
        page = Forms(path)
        page.feed(answer.text)
        waiting += sorted(page.links)
        for form in page.forms:
            found[kind_of(form.action), frozenset(name for name, _ in form.fields)] = form
    return list(found.values())


def allow_many(world: World) -> None:
    with world.pool.transaction() as cursor:
        cursor.execute("DELETE FROM rate_limits")


def test_no_field_of_a_form_takes_the_service_aback(app: Flask, house: World) -> None:
    forms = forms_of(browser_of(app, "admin"))
    assert len({kind_of(form.action) for form in forms}) >= 40
    broken, tried = [], 0
    for form in forms:
        allow_many(house)
        browser = browser_of(app, "admin")
        token = browser.token("/account")
        for name, _ in form.fields:
            for text in TEXTS:
                fields = {**dict(form.fields), "current": PASSWORD, "csrf": token, name: text}
                answer = browser.client.post(form.action, data=fields, headers={"Accept": "text/html"})
                tried += 1
                if answer.status_code >= 500 or (text == NUL and answer.status_code not in REFUSED):
                    broken.append(f"{form.action} {name}={text[:20]!r}: {answer.status_code}")
    assert not broken, "\n".join(broken)
    assert tried > 1000


def requests_of(document: dict[str, Any]) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """(method, path, body or None, query), each with one thing odd."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            place = re.sub(r"\{[^}]+\}", "1", path)
            content = operation.get("requestBody", {}).get("content", {})
            schema = resolved(document, content.get("application/json", {}).get("schema", {}))
            plain = example(document, schema) if schema else None
            for name in schema.get("properties", {}):
                for value in ODD:
                    yield method, place, {**(plain or {}), name: value}, {}
            for value in ODD if content else []:
                yield method, place, value, {}
            for parameter in operation.get("parameters", []):
                for text in TEXTS:
                    if parameter["in"] == "query":
                        yield method, place, plain, {parameter["name"]: text}
                    elif parameter["in"] == "path":
                        yield (
                            method,
                            re.sub(r"\{[^}]+\}", "%00" if text == NUL else "9" * 40, path),
                            plain,
                            {},
                        )


def test_no_field_of_the_api_takes_the_service_aback(app: Flask, client: FlaskClient, house: World) -> None:
    accounts = Accounts(house.installation)
    _, key = accounts.create_key("program", ["read", "write", "send", "configure"], by="test")
    app.extensions["postledger.waiters"].close()  # so that nobody waits for what never comes
    document = client.get("/api/openapi.json").json
    broken, tried = [], 0
    for method, path, body, query in requests_of(document):
        if tried % 500 == 0:
            allow_many(house)
        tried += 1
        answer = client.open(
            path, method=method.upper(), query_string=query,
            data=None if body is None else json.dumps(body), content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        what = f"{method} {path} {json.dumps(body)[:80]} {json.dumps(query)[:60]}"
        if answer.status_code >= 500:
            broken.append(f"{what}: {answer.status_code} {answer.text[:100]}")
        elif "\\u0000" in json.dumps([body, query]) and answer.status_code not in REFUSED:
            broken.append(f"{what} with NUL: {answer.status_code}")
        answer.close()
    assert not broken, "\n".join(broken)
    assert tried > 2000


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"name": "a\\u0000b"}', "/name"),
        ('{"name": "a\\bb"}', "/name"),
        ('{"name": "a", "tags": ["x", "\\u001b[2J"]}', "/tags/1"),
        ('{"name": "a", "a\\u0000b": 1}', "/ab"),
    ],
)
def test_the_field_is_named(client: FlaskClient, body: str, pointer: str) -> None:
    answer = client.post("/api/lists", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert {"pointer": pointer, "detail": "control characters are not taken"} in answer.json["errors"]


def test_what_only_looks_like_one_is_taken(client: FlaskClient) -> None:
    name = "C:\\\\bin\\\\u0000 caf\\u00e9 \\ud83d\\ude00"
    answer = client.post("/api/lists", data=f'{{"name": "{name}"}}', content_type="application/json")
    assert answer.status_code == 200, answer.text
    assert answer.json["data"]["name"] == "C:\\bin\\u0000 café 😀"


def test_a_lone_surrogate_is_no_text(client: FlaskClient) -> None:
    answer = client.post("/api/lists", data='{"name": "a\\ud800b"}', content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["message"].startswith("The body is not JSON")


@pytest.mark.parametrize(
    "path", ["/subscribers?search=a%00b", "/api/subscribers?search=a%00b", "/log?actor=%1b"]
)
def test_a_query_is_looked_at_as_well(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 400


@pytest.mark.parametrize("name", [NUL, "admin\x00", "\x1b[2J"])
def test_the_sign_in_name_is_looked_at_before_the_database_sees_it(
    app: Flask, accounts: Accounts, name: str
) -> None:
    assert Browser(app.test_client()).sign_in(name).status_code == 400
