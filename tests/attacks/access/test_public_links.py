"""Nobody but whoever received a message takes its recipient off lists: UUIDs that are seen open nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.accounts.accounts import Accounts
from domain.delivery import unsubscribe_token
from domain.streams import campaign_stream
from tests.web.world import KEY, NOON, World

NOBODYS = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def sent(world: World) -> tuple[int, int]:
    """(campaign, recipient) of a message that was sent."""
    server, campaign, (person,) = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, [person])
    world.accepted(campaign, person, server)
    world.shown()
    return campaign, person


def unsubscribed(world: World) -> list[dict[str, object]]:
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT convert_from(state, 'UTF8') FROM events WHERE topic = 'person.unsubscribed'")
        return [json.loads(state) for (state,) in cursor.fetchall()]


def upgraded(world: World) -> None:
    """From a release that took links by UUID, after everything so far."""
    with world.pool.transaction() as cursor:
        cursor.execute(
            "INSERT INTO links_by_uuid VALUES (%s, %s)",
            (NOON + timedelta(minutes=1), NOON + timedelta(days=365)),
        )


def uuid_of(app: Flask, accounts: Accounts, person: int) -> str:
    """As a key that may read sees it."""
    _, key = accounts.create_key("reader", ["read"], by="test")
    answer = app.test_client().get(f"/api/subscribers/{person}", headers={"Authorization": f"Bearer {key}"})
    return str(answer.json["data"]["uuid"])


@pytest.mark.parametrize("campaign", ["its own", NOBODYS, "another"])
def test_a_uuid_opens_nothing(
    app: Flask, client: FlaskClient, accounts: Accounts, world: World, sent: tuple[int, int], campaign: str
) -> None:
    number, person = sent
    other = world.campaign("Another")
    uuids = {"its own": campaign_stream(number), "another": campaign_stream(other)}
    link = f"/subscription/{uuids.get(campaign, campaign)}/{uuid_of(app, accounts, person)}"
    assert client.get(link).status_code == 404
    assert client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 404
    assert unsubscribed(world) == []


def test_the_link_of_a_message_does(client: FlaskClient, world: World, sent: tuple[int, int]) -> None:
    link = f"/unsubscribe/{unsubscribe_token.token(KEY, *sent)}"
    assert client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert len(unsubscribed(world)) == 1


def test_links_in_messages_of_an_earlier_release_go_on_working_for_a_year(
    app: Flask, client: FlaskClient, accounts: Accounts, world: World, sent: tuple[int, int]
) -> None:
    upgraded(world)
    number, person = sent
    link = f"/subscription/{campaign_stream(number)}/{uuid_of(app, accounts, person)}"
    assert "Unsubscribe?" in client.get(link).text
    assert unsubscribed(world) == []
    for _ in range(2):
        assert client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    (told,) = unsubscribed(world)
    assert (told["by"], told["campaign"]) == ("recipient", number)
    world.clock.advance_to(NOON + timedelta(days=366))
    assert client.get(link).status_code == 404


def test_of_an_earlier_release_too_only_who_received_a_message_has_its_link(
    app: Flask, client: FlaskClient, accounts: Accounts, world: World, sent: tuple[int, int]
) -> None:
    upgraded(world)
    _, person = sent
    uuid = uuid_of(app, accounts, person)
    unsent = world.campaign("Never sent")
    later = world.campaign("Later")
    world.clock.advance_to(NOON + timedelta(hours=1))
    world.queued(later, [person])
    world.accepted(later, person, world.server("bravo"))
    world.shown()
    for campaign in (NOBODYS, campaign_stream(unsent), campaign_stream(later)):
        assert client.post(f"/subscription/{campaign}/{uuid}").status_code == 404
    assert unsubscribed(world) == []


def test_of_an_earlier_release_a_message_that_may_have_arrived_has_its_link_and_one_that_failed_has_none(
    app: Flask, client: FlaskClient, accounts: Accounts, world: World
) -> None:
    server, campaign, (one, other) = world.server("alpha"), world.campaign(), world.people(2)
    world.queued(campaign, [one, other])
    world.unknown(campaign, one, server)
    world.failed(campaign, other, server)
    world.shown()
    upgraded(world)
    _, key = accounts.create_key("both", ["read"], by="test")
    for person, status in ((one, 200), (other, 404)):
        headers = {"Authorization": f"Bearer {key}"}
        found = app.test_client().get(f"/api/subscribers/{person}", headers=headers).json
        link = f"/subscription/{campaign_stream(campaign)}/{found['data']['uuid']}"
        assert client.get(link).status_code == status


def test_nobody_tries_many(client: FlaskClient, world: World) -> None:
    link = f"/subscription/{campaign_stream(world.campaign())}/"
    statuses = [client.post(f"{link}{number:032x}").status_code for number in range(12)]
    assert statuses == [404] * 10 + [429] * 2
