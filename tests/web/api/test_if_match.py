"""A change that comes with If-Match is made to what was seen, or not at all: every operation of the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.clock import VirtualClock
from storage.postgres.pool import Pool
from tests.web.applications import application
from tests.web.world import NOON, World
from web.api.openapi import contracts
from web.http.contract import Contract

OLD = '"4711-0a1b", "0123456789abcdef"'
"""Tags in our form that nothing has."""

SUBSCRIBER = {"email": "new@example.org", "name": "New", "lists": [1]}
MEMBERSHIP = {"ids": [1], "action": "add", "target_list_ids": [2], "status": "confirmed"}
BODIES: dict[str, Any] = {
    "PUT /api/campaigns/<int:number>/status": {"status": "cancelled"},
    "PUT /api/campaigns/<int:number>": {"name": "Another"},
    "POST /api/campaigns": {"name": "New", "subject": "New", "lists": [1], "body": "Hello"},
    "POST /api/campaigns/<int:number>/test": {"subscribers": ["p1@example.org"]},
    "POST /api/forecast": {"recipients": 5},
    "PUT /api/policy": {"poll_interval": 9},
    "PUT /api/queue/pause": {"paused": True},
    "POST /api/queue/cancel": {"status": ["queued"]},
    "POST /api/queue/retry": {"status": ["cancelled"]},
    "POST /api/servers": {"name": "beta", "host": "127.0.0.1", "from_email": "a@example.com"},
    "PUT /api/servers/<int:number>": {"daily_limit": 7},
    "PUT /api/servers/<int:number>/suspend": {"reason": "a look"},
    "POST /api/settings/smtp/test": {"host": "127.0.0.1", "port": 1, "email": "a@example.org"},
    "POST /api/templates": {"name": "New", "body": '{{ template "content" . }}'},
    "PUT /api/templates/<int:number>": {"name": "Another"},
    "POST /api/lists": {"name": "New"},
    "PUT /api/lists/<int:number>": {"name": "Another"},
    "POST /api/subscribers": SUBSCRIBER,
    "PUT /api/subscribers/<int:number>": SUBSCRIBER,
    "PATCH /api/subscribers/<int:number>": {"name": "New"},
    "PUT /api/subscribers/lists": MEMBERSHIP,
    "PUT /api/subscribers/lists/<int:number>": MEMBERSHIP,
    "PUT /api/subscribers/blocklist": {"ids": [1]},
    "PUT /api/subscribers/query/lists": {**MEMBERSHIP, "query": "subscribers.id = 1"},
    "PUT /api/subscribers/query/blocklist": {"query": "subscribers.id = 1"},
    "POST /api/subscribers/query/delete": {"query": "subscribers.id = 1"},
    "POST /api/tx": {"subscriber_id": 1, "template_id": 2},
}  # fmt: skip
"""For operations that read one."""

STATE = """
    SELECT (SELECT position FROM log_head),
           (SELECT md5(string_agg(r::text, ',' ORDER BY number)) FROM recipients r),
           (SELECT md5(string_agg(l::text, ',' ORDER BY number)) FROM lists l),
           (SELECT md5(string_agg(s::text, ',' ORDER BY list, recipient)) FROM subscriptions s)
"""


@pytest.fixture
def app(pool: Pool) -> Iterator[Flask]:
    """With a campaign, a template of each kind, a server, and people on a list."""
    world = World(pool, VirtualClock(NOON))
    world.server("alpha")
    world.people(2)
    world.directory.list("Family")
    with application(world.installation) as made:
        client = made.test_client()
        for kind, body in (
            ("campaign", '{{ template "content" . }}'),
            ("tx", "Hello"),
            ("campaign", "{{ content }}"),
        ):
            client.post("/api/templates", json={"name": kind, "type": kind, "body": body}).get_data()
        campaign = world.campaign()
        world.shown()
        assert campaign == 1
        yield made


def changes(app: Flask) -> list[Contract]:
    found = [contract for _, contract in contracts(app) if contract.method != "GET"]
    assert len(found) > 40
    return found


def asked(client: FlaskClient, contract: Contract, tags: str, number: int = 1) -> Any:
    address = re.sub("<[^>]+>", str(number), contract.rule)
    name = f"{contract.method} {contract.rule}"
    query = "?id=1" if contract.method == "DELETE" and "<" not in contract.rule else ""
    headers = {"If-Match": tags}
    if name in BODIES or contract.body is not None:
        return client.open(address, method=contract.method, json=BODIES.get(name, {}), headers=headers)
    return client.open(address + query, method=contract.method, headers=headers)


def state(pool: Pool) -> Any:
    with pool.transaction() as cursor:
        cursor.execute(STATE)
        return cursor.fetchone()


def test_no_operation_changes_what_is_not_as_it_was_seen(app: Flask, pool: Pool) -> None:
    client, before = app.test_client(), state(pool)
    for contract in changes(app):
        answer = asked(client, contract, OLD)
        assert answer.status_code == 412, (contract.method, contract.rule, answer.text)
        assert answer.json["type"] == "/api/docs#problem-changed-meanwhile"
    assert state(pool) == before


def current(client: FlaskClient, contract: Contract) -> str:
    """The ETag of what the operation changes."""
    thing = re.sub("/(status|enable|disable|suspend|resume|default|blocklist)$", "", contract.rule)
    thing = thing.replace("/api/subscribers/lists/", "/api/subscribers/").replace(
        "/api/queue/pause", "/api/policy"
    )
    return str(client.get(re.sub("<[^>]+>", "1", thing)).headers["ETag"])


def test_every_change_is_made_to_what_is_as_it_was_seen(app: Flask) -> None:
    """Each is asked for with the tag of that moment, among others; 409 says that the state forbids it."""
    client = app.test_client()
    for contract in sorted(changes(app), key=lambda one: one.method, reverse=True):
        if contract.if_match is not None:
            answer = asked(client, contract, f'"0-old", W/{current(client, contract)} ,"x"')
            assert answer.status_code in (200, 409), (contract.method, contract.rule, answer.text)


def test_two_who_saw_the_same_do_not_both_change_it(app: Flask) -> None:
    client = app.test_client()
    for address, body in (
        ("/api/subscribers/1", {"name": "First"}),
        ("/api/lists/1", {"description": "First"}),
        ("/api/templates/1", {"name": "First"}),
    ):
        tag = client.get(address).headers["ETag"]
        method = "PATCH" if "subscribers" in address else "PUT"
        answers = [
            client.open(address, method=method, json=body, headers={"If-Match": tag}).status_code
            for _ in "ab"
        ]
        assert answers == [200, 412], address


def test_nothing_is_deleted_twice_by_who_asks_for_something_to_be_there(app: Flask) -> None:
    client, anything = app.test_client(), {"If-Match": "*"}
    assert client.delete("/api/lists/2", headers=anything).status_code == 200
    assert client.delete("/api/lists/2", headers=anything).status_code == 412
    assert client.delete("/api/lists/2").status_code == 200, "without a condition it is gone, as was wished"


@pytest.mark.parametrize("tags", ["7-", '"a', "a", '"a" "b"', '"a", 7', "*, *", ",", ""])
def test_what_is_no_list_of_tags_is_refused(app: Flask, tags: str) -> None:
    answer = app.test_client().put("/api/lists/1", json={"name": "New"}, headers={"If-Match": tags})
    assert (answer.status_code, answer.json["message"][:9]) == (400, "If-Match:")
