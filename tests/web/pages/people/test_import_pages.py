"""Importing people in the browser."""

from __future__ import annotations

from io import BytesIO
from threading import enumerate as threads
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from storage.people import imports
from storage.postgres.pool import Pool
from tests.web.pages.forms import send
from tests.web.world import World

GOOD = b"email,name,attributes,city\nada@example.org,Ada,{},Bern\nbob@example.org,Bob,,\nnobody,,,\n"


def bring_in(client: FlaskClient, content: bytes, **values: Any) -> TestResponse:
    """Answers when the import is over."""
    file = (BytesIO(content), "my friends.csv")
    given = {"status": "confirmed", "delimiter": ",", "new_list": "Friends", **values}
    answer = send(client, "/subscribers/import", file=file, **given)
    for thread in threads():
        if thread.name.startswith("import "):
            thread.join(30)
    return answer


def test_good_rows_are_taken_and_bad_ones_are_told(client: FlaskClient, world: World) -> None:
    answer = bring_in(client, GOOD)
    assert answer.status_code == 303
    report = client.get(answer.location).text
    assert "Finished" in report
    assert "Invalid rows" in report
    assert '<td class="number">4</td><td>' in report
    assert "my_friends.csv" in report
    assert "ada@example.org" in client.get("/subscribers?list=1&subscription=confirmed").text
    assert "2 people imported" in client.get("/log").text
    form = client.get("/subscribers/import").text
    assert "my_friends.csv" in form
    assert 'class="fault"' not in form


def test_a_file_without_a_header_changes_nothing(client: FlaskClient, world: World) -> None:
    world.people(1)
    report = client.get(bring_in(client, b"ada@example.org,Ada\n", list="1").location).text
    assert "Nothing was changed: the first line must name the columns" in report
    assert "ada@" not in client.get("/subscribers").text


def test_people_to_be_blocklisted_need_no_list(client: FlaskClient, world: World) -> None:
    bring_in(client, GOOD.replace(b",", b";"), status="blocklisted", new_list="", delimiter=";")
    assert "ada@example.org" in client.get("/subscribers?status=blocklisted").text


def test_who_had_left_comes_back_only_when_asked(client: FlaskClient, world: World) -> None:
    (person,) = world.people(1)
    send(client, f"/subscribers/{person}/unsubscribe")
    rows = b"email,name\np1@example.org,New\n"
    report = client.get(bring_in(client, rows, list="1").location).text
    assert "Still unsubscribed" in report
    assert "p1@" not in client.get("/subscribers?list=1&subscription=confirmed").text
    bring_in(client, rows, list="1", resubscribe="1", overwrite="1")
    assert "New" in client.get("/subscribers?list=1&subscription=confirmed").text


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"status": ""}, "status"),
        ({"new_list": " "}, "list"),
        ({"list": "7"}, "list"),
        ({"delimiter": "x"}, "delimiter"),
    ],
)
def test_what_is_missing_is_told_at_its_field(
    client: FlaskClient, world: World, values: dict[str, str], field: str
) -> None:
    world.people(1)
    answer = bring_in(client, GOOD, **values)
    assert answer.status_code == 400
    assert f'id="fault-{field}"' in answer.text
    assert client.get("/subscribers?search=ada").text.count("ada@") == 0


def test_a_file_has_to_be_chosen(client: FlaskClient, world: World) -> None:
    answer = send(client, "/subscribers/import", status="confirmed", delimiter=",", new_list="Friends")
    assert "Choose a file." in answer.text
    assert 'value="Friends"' in answer.text
    assert "No lists yet" in client.get("/lists").text


def test_one_goes_at_a_time_and_one_that_was_cut_off_is_called_so(
    client: FlaskClient, world: World, pool: Pool
) -> None:
    with pool.transaction() as cursor:
        number = imports.begin(cursor, by="local", file="old.csv", size=100, lists=[], status="confirmed")
        imports.still_alive(cursor, number, 40)
    page = client.get(f"/subscribers/imports/{number}").text
    assert "40 % of the file read" in page
    assert "data-still" not in page
    assert "still running" in bring_in(client, GOOD).text
    assert "No lists yet" in client.get("/lists").text
    with pool.transaction() as cursor:
        cursor.execute("UPDATE imports SET alive_at = now() - interval '1 minute'")
    assert "The service stopped during this import" in client.get(f"/subscribers/imports/{number}").text
    assert bring_in(client, GOOD).status_code == 303


def test_an_import_that_is_asked_to_stop_leaves_nothing(
    pool: Pool, client: FlaskClient, world: World
) -> None:
    with pool.transaction() as cursor:
        number = imports.begin(cursor, by="local", file="old.csv", size=100, lists=[], status="confirmed")
    send(client, f"/subscribers/imports/{number}/stop")
    with pool.transaction() as cursor:
        assert not imports.still_alive(cursor, number, 50)
        imports.end(cursor, number)
    assert "It was stopped. Nothing was changed." in client.get(f"/subscribers/imports/{number}").text


def test_a_file_far_larger_than_other_requests_is_taken(client: FlaskClient, world: World) -> None:
    rows = b"".join(b"person-%d@example.org,Somebody with a name\n" % n for n in range(3000))
    assert len(rows) > 64 * 1024
    report = client.get(bring_in(client, b"email,name\n" + rows).location).text
    assert '<dd class="big">3,000</dd>' in report
    assert "3,000 subscribers" in client.get("/subscribers").text
