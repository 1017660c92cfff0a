"""Subscribers for people."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from storage.people import directory, paging
from tests.web.pages.forms import send
from tests.web.world import World


def test_nobody_yet_says_what_to_do_first(client: FlaskClient, world: World) -> None:
    page = client.get("/subscribers").text
    assert "No subscribers yet" in page
    assert "/subscribers/import" in page


def test_somebody_is_added_found_and_put_on_lists(client: FlaskClient, world: World) -> None:
    for name in ("Friends", "Family"):
        send(client, "/lists/new", name=name, optin="single")
    made = send(
        client, "/subscribers/new",
        email="ada@example.org", name="Ada L", attributes='{"city": "Bern"}',
        **{"list-1": "confirmed", "list-2": ""},
    )  # fmt: skip
    page = client.get(made.location).text
    assert "ada@example.org is added." in page
    assert "Added to Friends as confirmed" in page
    assert "&#34;city&#34;: &#34;Bern&#34;" in page
    for asked in (
        "search=ADA@ex", "search=ada+l", "list=1", "list=1&subscription=confirmed", "status=enabled",
        "query=subscribers.attribs->>'city'='Bern'", "list=1&status=enabled&search=ada",
    ):  # fmt: skip
        assert "/subscribers/1" in client.get(f"/subscribers?{asked}").text, asked
    for asked in (
        "search=bob", "list=2", "list=1&subscription=unsubscribed", "status=blocklisted",
        "query=subscribers.attribs->>'city'='Rom'",
    ):  # fmt: skip
        assert "No matching subscribers" in client.get(f"/subscribers?{asked}").text, asked


def test_pages_go_from_the_newest_to_older_ones(client: FlaskClient, world: World) -> None:
    world.people(30)
    first = client.get("/subscribers?status=enabled").text
    assert "30 subscribers" in first
    assert "p30@example.org" in first
    assert "p5@example.org" not in first
    assert "Newest" not in first
    (older,) = re.findall('rel="next" href="([^"]+)"', first)
    assert older == "/subscribers?status=enabled&amp;before=6"
    second = client.get(older.replace("&amp;", "&")).text
    assert "p5@example.org" in second
    assert "p6@example.org" not in second
    assert 'rel="next"' not in second
    assert 'href="/subscribers?status=enabled">Newest' in second
    assert "No earlier subscribers." in client.get("/subscribers?before=1").text
    assert client.get("/subscribers?before=x").status_code == 400


def test_a_search_that_no_index_serves_looks_further_back_when_told(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LOOK_AT", 20)
    world.people(30)
    page = client.get("/subscribers?query=subscribers.id=3").text
    assert "No matches among the 20 subscribers down to number 11." in page
    assert "No matching subscribers" not in page
    (further,) = re.findall('rel="next" href="([^"]+)">Search further back', page)
    assert "p3@example.org" in client.get(further.replace("&amp;", "&")).text


def test_an_expression_that_cannot_be_read_is_told_beside_its_field(
    client: FlaskClient, world: World
) -> None:
    world.people(1)
    page = client.get("/subscribers?query=subscribers.password='x'")
    assert page.status_code == 200
    assert 'id="fault-query"' in page.text
    assert "p1@example.org" not in page.text


def test_what_is_wrong_is_told_at_each_field_and_nothing_is_lost(client: FlaskClient, world: World) -> None:
    world.people(1)
    refused = send(
        client, "/subscribers/new",
        email="nobody", name="Ann\nBerg", attributes='{"a": 1,\n oops}', **{"list-1": "confirmed"},
    )  # fmt: skip
    assert refused.status_code == 400
    for field in ("email", "name", "attributes"):
        assert f'id="fault-{field}"' in refused.text
    assert "line 2, column 2" in refused.text
    assert re.search('<textarea class="code" id="attributes"[^>]*>\n[^<]*oops}</textarea>', refused.text)
    assert '<option value="confirmed" selected>' in refused.text
    taken = send(client, "/subscribers/new", email="P1@example.org", attributes="{}")
    assert "Somebody has that e-mail address already." in taken.text
    assert (
        "A JSON object is expected"
        in send(client, "/subscribers/new", email="a@example.org", attributes="[]").text
    )


def test_lists_of_somebody_are_changed_with_each_status(client: FlaskClient, world: World) -> None:
    send(client, "/lists/new", name="Friends", optin="single")
    send(client, "/lists/new", name="Family", optin="single")
    send(client, "/lists/new", name="Work", optin="single")
    send(
        client,
        "/subscribers/new",
        email="a@example.org",
        attributes="",
        **{"list-1": "confirmed", "list-2": "confirmed"},
    )
    send(
        client, "/subscribers/1/edit",
        email="b@example.org", name="", attributes="{}",
        **{"list-1": "unsubscribed", "list-2": "", "list-3": "unconfirmed"},
    )  # fmt: skip
    with world.pool.transaction() as cursor:
        now = {one.name: one.status for one in directory.subscriptions_of(cursor, 1)}
    assert now == {"Friends": "unsubscribed", "Work": "unconfirmed"}
    page = client.get("/subscribers/1").text
    for told in (
        "Changed: email",
        "Unsubscribed from Friends",
        "Removed from Family",
        "Added to Work as unconfirmed",
    ):
        assert told in page
    assert "b@example.org" in page


def test_somebody_is_blocklisted_and_enabled_again(client: FlaskClient, world: World) -> None:
    (person,) = world.people(1)
    send(client, f"/subscribers/{person}/blocklist")
    page = client.get(f"/subscribers/{person}").text
    assert "No campaign mails this subscriber" in page
    assert "Blocklisted</p>" in page
    assert f"/subscribers/{person}/enable" in page
    send(client, f"/subscribers/{person}/enable")
    assert f"/subscribers/{person}/enable" not in client.get(f"/subscribers/{person}").text


def test_unsubscribing_asks_first_and_stays_on_record(client: FlaskClient, world: World) -> None:
    (person,) = world.people(1)
    assert "From Friends." in client.get(f"/subscribers/{person}/unsubscribe").text
    send(client, f"/subscribers/{person}/unsubscribe")
    page = client.get(f"/subscribers/{person}").text
    assert "Unsubscribed from 1 list." in page
    assert "unsubscribed</span>" in page


def test_erasing_says_what_stays_and_keeps_the_deliveries(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(2)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.shown()
    asked = client.get(f"/subscribers/{people[0]}/erase").text
    assert "Only the number" in asked
    assert "(1 e-mail)" in asked
    send(client, f"/subscribers/{people[0]}/erase")
    page = client.get(f"/subscribers/{people[0]}").text
    assert "p1@example.org" not in page
    assert "Spring letter" in page
    assert f"/subscribers/{people[0]}/edit" not in page
    gone = client.get(f"/subscribers/{people[0]}/edit", headers={"Accept": "text/html"})
    assert gone.status_code == 404


def test_every_delivery_of_somebody_is_on_their_page(client: FlaskClient, world: World) -> None:
    server, (person, other) = world.server("alpha"), world.people(2)
    first, second = world.campaign("First"), world.campaign("Second")
    for campaign in (first, second):
        world.queued(campaign, [person, other])
    world.accepted(first, person, server)
    world.failed(second, person, server)
    world.shown()
    page = client.get(f"/subscribers/{person}").text
    assert f"/queue/{(first << 32) | person}" in page
    assert f"/queue/{(second << 32) | person}" in page
    assert "2 in total" in page
    assert "Sent</span>" in page
    assert "Failed</span>" in page
    assert f"/queue/{(first << 32) | other}" not in page
