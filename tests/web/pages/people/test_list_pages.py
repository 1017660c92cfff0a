"""Lists for people."""

from __future__ import annotations

import csv
from io import StringIO

from flask.testing import FlaskClient

from tests.web.pages.forms import send
from tests.web.world import World


def test_the_first_list_is_made_and_its_people_are_counted(client: FlaskClient, world: World) -> None:
    assert "Create the first one" in client.get("/lists").text
    made = send(client, "/lists/new", name="Friends", optin="double", description="Old\nones", tags="a, b,a")
    page = client.get(made.location).text
    assert "No subscribers yet" in page
    assert "Double: only confirmed" in page
    assert "a, b<" in page
    assert "List created: Friends" in page
    world.people(3)
    shown = client.get("/lists").text
    assert '<a href="/lists/1">Friends</a>' in shown
    assert '>3<span class="unseen"> on Friends' in shown
    assert "Friends" not in client.get("/lists?search=enemies").text


def test_a_list_that_is_refused_loses_nothing_that_was_typed(client: FlaskClient, world: World) -> None:
    world.people(1)
    refused = send(
        client, "/lists/new", name="Friends", optin="double", description="kept <b>", tags="one,two"
    )
    assert refused.status_code == 400
    assert "A list of that name exists already." in refused.text
    for kept in ('value="Friends"', "kept &lt;b&gt;", 'value="one,two"', 'value="double" checked'):
        assert kept in refused.text
    assert 'id="fault-name"' in refused.text
    assert "Is missing" in send(client, "/lists/new", name=" ", optin="single").text
    assert send(client, "/lists/new", name="New", optin="triple").status_code == 400


def test_a_list_is_renamed_and_the_change_is_on_record(client: FlaskClient, world: World) -> None:
    world.people(1)
    send(client, "/lists/1/edit", name="Best friends", optin="single", description="", tags="")
    page = client.get("/lists/1").text
    assert "Changes saved." in page
    assert "name → Best friends" in page
    assert "by local" in page


def test_deleting_a_list_asks_first_and_leaves_its_people(client: FlaskClient, world: World) -> None:
    (person,) = world.people(1)
    assert "The subscribers themselves stay" in client.get("/lists/1/delete").text
    assert "1 subscribed" in client.get("/lists/1/delete").text
    send(client, "/lists/1/delete")
    assert client.get("/lists/1", headers={"Accept": "text/html"}).status_code == 404
    assert "On no list" in client.get(f"/subscribers/{person}").text


def test_the_export_holds_everybody_and_no_formula(client: FlaskClient, world: World) -> None:
    world.people(2)
    world.directory.people.add(
        "+x@example.org", '=HYPERLINK("http://a")', {"a": 'b,"c'},
        onto=[1], subscription="confirmed", by="test",
    )  # fmt: skip
    world.directory.people.add("elsewhere@example.org", by="test")
    answer = client.get("/lists/1/export.csv")
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [row["email"] for row in rows] == ["p1@example.org", "p2@example.org", "'+x@example.org"]
    assert rows[2]["name"] == '\'=HYPERLINK("http://a")'
    assert rows[2]["attributes"] == '{"a": "b,\\"c"}'
    assert [row["subscription"] for row in rows] == ["unconfirmed", "unconfirmed", "confirmed"]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="list-1.csv"'
    everybody = list(csv.DictReader(StringIO(client.get("/subscribers/export.csv").text)))
    assert [row["email"] for row in everybody][-1] == "elsewhere@example.org"
