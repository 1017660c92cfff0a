"""A key changes what its scopes are for, whichever way it asks; what goes out by itself is for `send`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from application import permission
from application.accounts.accounts import Accounts
from domain.accounts.accounts import ADMIN, ROLES
from domain.accounts.scopes import NEEDED, OF_DRAFTS, scopes_needed
from domain.delivery.delivery import Accepted, Cancelled, Requeued
from domain.topics import EVENT_CLASSES
from storage import content
from tests.web.world import NOON, World

Call = Callable[..., TestResponse]

BY_THE_PROGRAM_ALONE = {
    "campaign.finished", "campaign.queueing_finished", "capacity.reserved", "capacity.returned",
}  # fmt: skip
TOPICS = {str(one.TOPIC) for one in EVENT_CLASSES}  # type: ignore[attr-defined]


def of(*kinds: str) -> set[str]:
    return {topic for topic in TOPICS if topic.partition(".")[0] in kinds}


def test_for_each_kind_of_change_it_is_decided_which_scope_it_takes() -> None:
    """A new one takes a second thought, here and in the table; one of a delivery follows from its kind."""
    assert set(NEEDED) == TOPICS - of("user", "key", "delivery") - BY_THE_PROGRAM_ALONE
    assert set(OF_DRAFTS) <= set(NEEDED)


def test_whatever_goes_on_record_of_a_delivery_takes_send() -> None:
    assert {Cancelled.TOPIC, Requeued.TOPIC, Accepted.TOPIC} <= of("delivery")
    for topic in of("delivery"):
        assert scopes_needed(topic) == {"send"}, topic
        assert scopes_needed(topic, of_draft=True) == {"send"}, topic


def test_what_nobody_has_decided_about_is_for_administrators_alone() -> None:
    assert {role for role, scopes in ROLES.items() if "administer" in scopes} == {ADMIN}
    for topic in (
        BY_THE_PROGRAM_ALONE | of("user", "key") | {"campaign.sold", "deliveries.sold", "", "delivery"}
    ):
        for of_draft in (False, True):
            assert scopes_needed(topic, of_draft=of_draft) == {"administer"}, topic
    permission.limit({"read", "write", "send", "configure"})
    try:
        with pytest.raises(permission.ScopeMissing, match="administer"):
            permission.check("campaign.sold")
    finally:
        permission.limit(None)


@pytest.fixture
def ask(app: Flask, accounts: Accounts) -> Callable[[list[str]], Call]:
    def with_scopes(scopes: list[str]) -> Call:
        _, key = accounts.create_key("-".join(scopes), scopes, by="test")

        def call(method: str, path: str, **body: Any) -> TestResponse:
            headers = {"Authorization": f"Bearer {key}"}
            return app.test_client().open(path, method=method, headers=headers, json=body or None)

        return call

    return with_scopes


@pytest.fixture
def scheduled(world: World) -> int:
    world.people(2)
    number = world.campaign()
    world.application.schedule(number, NOON + timedelta(hours=4), by="test")
    world.shown()
    return number


def position(world: World) -> int:
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT max(position) FROM events")
        return int(cursor.fetchone()[0])


LATER = (NOON + timedelta(days=9)).isoformat()
STEERING: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/api/campaigns/{}", {"send_at": LATER}),
    ("PUT", "/api/campaigns/{}", {"send_at": None}),
    ("PUT", "/api/campaigns/{}", {"subject": "Another"}),
    ("PUT", "/api/campaigns/{}", {"priority": "high"}),
    ("PUT", "/api/campaigns/{}", {"name": "Moved", "send_at": LATER}),
    ("DELETE", "/api/campaigns/{}", {}),
    ("DELETE", "/api/campaigns?id={}", {}),
    ("PUT", "/api/campaigns/{}/status", {"status": "draft"}),
    ("PUT", "/api/campaigns/{}/status", {"status": "running"}),
    ("PUT", "/api/policy", {"queue_paused": True}),
    ("PUT", "/api/queue/pause", {"paused": True}),
    ("POST", "/api/queue/cancel", {"all": True}),
    ("POST", "/api/queue/send-all", {"all": True}),
]


@pytest.mark.parametrize(("method", "path", "body"), STEERING)
def test_without_send_nothing_that_goes_out_by_itself_is_touched(
    ask: Callable[[list[str]], Call], world: World, scheduled: int,
    method: str, path: str, body: dict[str, Any],
) -> None:  # fmt: skip
    call, before = ask(["read", "write", "configure"]), position(world)
    answer = call(method, path.format(scheduled), **body)
    assert answer.status_code == 403, answer.text
    assert position(world) == before, "nothing is on record"
    assert world.application.campaign(scheduled).send_at == NOON + timedelta(hours=4)


def test_with_send_all_of_that_may_be_done(
    ask: Callable[[list[str]], Call], world: World, scheduled: int
) -> None:
    call = ask(["read", "write", "send"])
    assert call("PUT", f"/api/campaigns/{scheduled}", send_at=LATER).status_code == 200
    assert call("DELETE", f"/api/campaigns/{scheduled}").status_code == 200
    assert world.application.campaign(scheduled).state == "cancelled"


def test_drafts_are_for_write(ask: Callable[[list[str]], Call], world: World) -> None:
    draft, call = world.campaign(), ask(["read", "write"])
    world.shown()
    changed = call("PUT", f"/api/campaigns/{draft}", subject="Another", send_at=LATER)
    assert changed.status_code == 200, changed.text
    assert call("DELETE", f"/api/campaigns/{draft}").status_code == 200


def test_of_several_that_are_thrown_away_one_that_is_scheduled_keeps_all(
    ask: Callable[[list[str]], Call], world: World, scheduled: int
) -> None:
    draft, call = world.campaign(), ask(["read", "write"])
    world.shown()
    assert call("DELETE", f"/api/campaigns?id={draft}&id={scheduled}").status_code == 403
    assert world.application.campaign(draft).state == "draft"


def test_a_template_of_a_scheduled_campaign_is_for_send_too(
    ask: Callable[[list[str]], Call], world: World, scheduled: int
) -> None:
    write, both = ask(["read", "write"]), ask(["read", "write", "send"])
    body = '<p>{{ template "content" . }}</p>'
    number = write("POST", "/api/templates", name="Plain", type="campaign", body=body).json["data"]["id"]
    changed = {"template_id": number, "content_type": "html", "body": "<p>Hello</p>"}
    assert both("PUT", f"/api/campaigns/{scheduled}", **changed).status_code == 200
    before = world.application.campaign(scheduled).html
    other = {"name": "Plain", "type": "campaign", "body": body.replace("<p>", "<p>Buy! ")}
    assert write("PUT", f"/api/templates/{number}", **other).status_code == 403
    assert world.application.campaign(scheduled).html == before
    assert both("PUT", f"/api/templates/{number}", **other).status_code == 200
    with world.pool.transaction() as cursor:
        assert "Buy!" in content.text_of(cursor, str(world.application.campaign(scheduled).html))


def test_what_is_configured_takes_configure_and_what_is_paused_takes_send(
    ask: Callable[[list[str]], Call], world: World
) -> None:
    send, configure = ask(["read", "send"]), ask(["read", "configure"])
    assert configure("PUT", "/api/policy", timezone="Europe/Berlin").status_code == 200
    assert configure("PUT", "/api/policy", timezone="Europe/Oslo", queue_paused=True).status_code == 403
    assert world.application.policy().timezone == "Europe/Berlin"
    assert send("PUT", "/api/queue/pause", paused=True).status_code == 200
    assert send("PUT", "/api/policy", timezone="Europe/Oslo").status_code == 403
