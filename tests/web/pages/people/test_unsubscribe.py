"""Unsubscribing by link (RFC 8058)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from domain.delivery import unsubscribe_token
from storage.people import directory
from tests.web.world import KEY, World

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def link(world: World) -> str:
    (person,) = world.people(1)
    return f"/unsubscribe/{unsubscribe_token.token(KEY, world.campaign(), person)}"


def statuses(world: World) -> set[str]:
    with world.pool.transaction() as cursor:
        return {subscription.status for subscription in directory.subscriptions_of(cursor, 1)}


def test_looking_at_the_link_changes_nothing(client: FlaskClient, world: World, link: str) -> None:
    answer = client.get(link)
    assert answer.status_code == 200
    assert "<button" in answer.text
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert client.head(link).status_code == 200
    assert statuses(world) == {"unconfirmed"}


def test_the_page_shows_nobody(client: FlaskClient, link: str) -> None:
    assert "p1" not in client.get(link).text
    assert "example.org" not in client.post(link, data=ONE_CLICK).text


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_unsubscribes(client: FlaskClient, world: World, link: str, content_type: str) -> None:
    answer = client.post(
        link, data=ONE_CLICK, content_type=content_type, headers={"Origin": "https://mail.example.net"}
    )
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert statuses(world) == {"unsubscribed"}


def test_doing_it_twice_is_fine(client: FlaskClient, world: World, link: str) -> None:
    assert client.post(link, data=ONE_CLICK).status_code == 200
    assert client.post(link, data=ONE_CLICK).status_code == 200
    assert statuses(world) == {"unsubscribed"}


def test_only_the_lists_of_the_campaign_are_left(client: FlaskClient, world: World, link: str) -> None:
    world.directory.people.subscribe([1], [world.directory.list("Family")], "unconfirmed", by="test")
    client.post(link, data=ONE_CLICK)
    assert statuses(world) == {"unsubscribed", "unconfirmed"}


def test_a_body_that_asks_for_something_else_is_refused(client: FlaskClient, world: World, link: str) -> None:
    assert client.post(link, data={"List-Unsubscribe": "Maybe"}).status_code == 400
    assert client.post(link).status_code == 400
    assert statuses(world) == {"unconfirmed"}


def test_a_forged_or_damaged_link_is_not_found(client: FlaskClient, world: World, link: str) -> None:
    other = unsubscribe_token.token(b"somebody else's key", 1, 1)
    for wrong in (f"/unsubscribe/{other}", link[:-1] + ("A" if link[-1] != "A" else "B"), "/unsubscribe/x"):
        assert client.get(wrong).status_code == 404
        assert client.post(wrong, data=ONE_CLICK).status_code == 404
    assert statuses(world) == {"unconfirmed"}


def test_nothing_is_unsubscribed_without_a_key(world: World, client: FlaskClient) -> None:
    token = unsubscribe_token.token(KEY, 99, 99)
    assert client.post(f"/unsubscribe/{token}", data=ONE_CLICK).status_code == 404, "no such campaign"
