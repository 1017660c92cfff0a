"""Nobody keeps the database or the disk from the others: what a page or a program asks for is given up after
some seconds, few heavy requests run at once, and what is kept for repeated requests is bounded."""

from __future__ import annotations

import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import psycopg2
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from application.turns import Turns
from domain.clock import VirtualClock
from postledger.serving.pages import STATEMENT_SECONDS
from storage.people import lists, recipients_import, statistics
from storage.people.recipients_import import Options, import_csv
from storage.postgres.pool import Pool
from storage.postgres.service_login import service_url
from tests.installation import Running, wait_until
from tests.web.applications import application
from tests.web.world import NOON, World
from web.http import idempotency
from web.http.contract import Contract
from web.http.heavy_requests import MOST, MOST_OF_ONE, MOST_WAITING, MOST_WAITING_OF_ONE, turns

pytestmark = pytest.mark.starts_processes

SLOW_PEOPLE = """
    ALTER TABLE recipients ENABLE ROW LEVEL SECURITY;
    CREATE POLICY slow ON recipients USING (pg_sleep(%(seconds)s) IS NOT NULL)
"""
"""Whoever reads the directory, or writes in it, waits for so many seconds for each person."""

PREVIEWS = {
    "/api/templates/preview": {"data": {"body": "Dear {{ subscriber.name }}", "template_type": "tx"}},
    "/api/forecast": {"json": {"recipients": 100, "servers": []}},
}


PAGES = ("/healthz", "/readyz", "/queue", "/api/lists", "/servers")


def seconds(it: Running, path: str) -> float:
    """In which a page is answered."""
    began = time.monotonic()
    assert requests.get(it.url + path, timeout=60).status_code == 200, path
    return time.monotonic() - began


def as_owner(url: str, statement: str, **values: Any) -> None:
    with closing(psycopg2.connect(url)) as owner, owner, owner.cursor() as cursor:
        cursor.execute(statement, values)


def kept(pool: Pool) -> int:
    with pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM idempotency_keys")
        return int(cursor.fetchone()[0])  # type: ignore[index]


def test_thirteen_slow_searches_whose_clients_are_gone_keep_nobody_else_waiting(tmp_path: Path) -> None:
    with Running(tmp_path, "serve") as it:
        it.wait_until_ready()
        undisturbed = {path: seconds(it, path) for path in PAGES}
        added = requests.post(f"{it.url}/api/subscribers", json={"email": "ada@example.com"}, timeout=30)
        assert added.status_code == 200, added.text
        as_owner((tmp_path / "var/postgresql/url").read_text().strip(), SLOW_PEOPLE, seconds=600)

        def search(_: int) -> None:
            with suppress(requests.exceptions.ReadTimeout):
                requests.get(f"{it.url}/api/subscribers?query=email LIKE '%25'", timeout=0.2)

        with ThreadPoolExecutor(13) as attackers:
            list(attackers.map(search, range(13)))
        for path in PAGES:
            assert seconds(it, path) < STATEMENT_SECONDS + 5 * undisturbed[path], path
        last = requests.get(f"{it.url}/api/subscribers?query=email LIKE '%25'", timeout=60)
        assert (last.status_code, last.headers["Retry-After"]) in ((503, "5"), (503, "10"))


def test_a_search_that_takes_too_long_is_given_up_with_a_clear_answer(
    database_url: str, world: World
) -> None:
    world.people(1)
    as_owner(database_url, SLOW_PEOPLE, seconds=60)
    pool = Pool(service_url(database_url), statement_timeout=0.2)
    with application(World(pool, VirtualClock(NOON)).installation) as app:
        answer = app.test_client().get("/api/subscribers?query=email LIKE '%25'")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert "too long" in answer.json["message"]
    pool.close()


def test_imports_and_deleting_lists_may_take_longer_than_a_page(database_url: str) -> None:
    pool = Pool(service_url(database_url), statement_timeout=1.0)
    with pool.transaction() as cursor:
        number = lists.create(cursor, {"name": "Friends"})
    as_owner(
        database_url,
        """
        CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
        CREATE TRIGGER slowly AFTER INSERT OR DELETE ON subscriptions FOR EACH ROW EXECUTE FUNCTION slowly()
        """,
    )
    with pool.transaction() as cursor:
        file = io.BytesIO(b"email\nada@example.com\nbob@example.com\n")
        assert import_csv(cursor, file, Options(lists=[number])).subscribed == 2
        statistics.refresh(cursor)
    with pool.transaction() as cursor:
        assert lists.delete(cursor, number) == 2
    with pytest.raises(psycopg2.errors.QueryCanceled), pool.transaction() as cursor:
        cursor.execute("SELECT pg_sleep(1.2)")
    pool.close()
    assert 0 < recipients_import.IMPORT_SECONDS <= 3600


def test_one_asker_never_takes_all_the_places_for_heavy_requests() -> None:
    here = turns(patience=0.05)
    assert [here.begin("mallory") for _ in range(13)] == [True] * MOST_OF_ONE + [False] * (13 - MOST_OF_ONE)
    assert here.begin("ada")
    here.end("mallory")
    assert here.begin("mallory")
    assert [here.begin(f"user {number}") for number in range(MOST)].count(True) == MOST - MOST_OF_ONE - 1


def test_few_wait_for_their_turn_and_the_others_are_told_at_once() -> None:
    here, answers = turns(patience=60.0), list[bool]()
    for number in range(MOST):
        assert here.begin(f"user {number}")
    askers = ("ada", "eve") * MOST_WAITING_OF_ONE
    waiting = [Thread(target=lambda asker=asker: answers.append(here.begin(asker))) for asker in askers]
    for thread in waiting:
        thread.start()
    wait_until(lambda: len(here._waiting) == MOST_WAITING)
    assert here.begin("bob") is False
    for number in range(MOST):
        here.end(f"user {number}")
    for thread in waiting:
        thread.join(60)
    assert answers == [True] * MOST_WAITING


def test_one_asker_never_takes_all_the_places_to_wait_and_goes_behind_the_others() -> None:
    here, order = Turns("things", at_once=1, waiting=6, waiting_of_one=4), list[str]()

    def take(asker: str) -> None:
        with here.taken(asker):
            order.append(asker)

    assert here.begin("mallory")
    threads = [Thread(target=take, args=(asker,)) for asker in ["mallory"] * 4 + ["ada", "bob"]]
    for number, thread in enumerate(threads, 1):
        thread.start()
        wait_until(partial(lambda number: len(here._waiting) == number, number))
        assert number < 4 or here.begin("mallory") is False
    here.end("mallory")
    for thread in threads:
        thread.join(60)
    assert order == ["ada", "bob"] + ["mallory"] * 4


def test_whoever_gives_up_waiting_holds_up_nobody() -> None:
    here = Turns("things", at_once=2, of_one=1, waiting=4, patience=0.05)
    assert here.begin("mallory")
    assert here.begin("mallory") is False
    assert here.begin("ada")
    assert here.begin("bob") is False
    here.end("mallory")
    assert here.begin("bob")
    assert here._waiting == []


def test_heavy_requests_beyond_their_number_are_put_off(app: Flask, world: World) -> None:
    running = app.extensions["postledger.heavy"] = turns(patience=0.05)
    for _ in range(MOST_OF_ONE):
        assert running.begin("local")
    client = app.test_client()
    for path in ("/api/subscribers", "/subscribers", "/subscribers/export.csv"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
    asked = client.post("/api/subscribers/query/delete", json={"all": True})
    assert asked.status_code == 503
    assert client.get("/api/lists").status_code == 200
    for _ in range(MOST_OF_ONE):
        running.end("local")
    for _ in range(2 * MOST):
        assert client.get("/subscribers/export.csv").status_code == 200, "each gives its place back"


NEW = {"name": "N", "subject": "S", "lists": [1], "body": "*a*", "content_type": "markdown"}
FORM = {"name": "N", "subject": "S", "html": "*a*", "content_type": "markdown", "lists": "1"}


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", "/log?topic=server.added", {}),
        ("GET", "/log?by=local&since=2026-03-01+00:00", {}),
        ("GET", "/log?campaign=1", {}),
        ("GET", "/subscribers?search=a", {}),
        ("GET", "/api/subscribers?search=a", {}),
        ("GET", "/subscribers/export.csv", {}),
        ("GET", "/campaigns/1/start", {}),
        ("GET", "/api/forecast?campaign_id=1", {}),
        ("POST", "/api/campaigns", {"json": NEW}),
        ("PUT", "/api/campaigns/1", {"json": NEW}),
        ("POST", "/api/campaigns/1/preview", {"data": {"body": "*a*", "content_type": "markdown"}}),
        ("POST", "/campaigns/preview", {"data": FORM}),
        ("POST", "/campaigns/new", {"data": FORM}),
        ("POST", "/api/templates", {"json": {"name": "T", "body": "{{ content }}", "type": "campaign"}}),
        ("POST", "/api/subscribers/query/delete", {"json": {"search": "nobody"}}),
    ],
)
def test_who_waits_for_a_turn_holds_no_connection(
    client: FlaskClient, world: World, method: str, path: str, given: dict[str, Any]
) -> None:
    """Held by waits_for_a_turn_without_a_connection, as in every test of this folder."""
    world.people(2)
    world.campaign()
    world.shown()
    if "data" in given:
        token = re.search(r'name="csrf" value="([^"]+)"', client.get("/campaigns/new").text)
        assert token is not None
        given = {"data": {**given["data"], "csrf": token[1]}}
    answer = client.open(path, method=method, **given)
    assert answer.status_code in (200, 303), answer.text


@pytest.mark.parametrize("path", PREVIEWS)
def test_what_changes_nothing_keeps_nothing(client: FlaskClient, pool: Pool, path: str) -> None:
    for number in range(3):
        answer = client.post(path, headers={"Idempotency-Key": f"key-{number}"}, **PREVIEWS[path])
        assert answer.status_code == 200, answer.text
        assert "Idempotency-Replayed" not in answer.headers
    assert kept(pool) == 0


def test_only_who_may_write_has_answers_kept(app: Flask) -> None:
    for endpoint, view in app.view_functions.items():
        contract = getattr(view, "contract", None)
        if isinstance(contract, Contract) and contract.takes_key:
            assert contract.needs not in ("read", "public"), endpoint
            assert "text/html" not in contract.media, endpoint


def test_what_is_kept_for_one_asker_is_bounded(
    client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MOST_KEPT", 20_000)
    template = {"name": "Long", "type": "tx", "subject": "s", "body": "x" * 5000}
    answers = [
        client.post("/api/templates", json=template, headers={"Idempotency-Key": f"key-{number}"})
        for number in range(6)
    ]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2, answers[0].text
    assert "Send this without a key" in answers[-1].json["message"]
    assert kept(pool) == 4
    assert client.post("/api/templates", json=template).status_code == 200
    again = client.post("/api/templates", json=template, headers={"Idempotency-Key": "key-0"})
    assert again.headers["Idempotency-Replayed"] == "true"


def test_requests_with_one_key_at_once_still_have_one_effect(app: Flask) -> None:
    barrier, codes = Barrier(4), list[int]()

    def send() -> None:
        barrier.wait()
        person = {"email": "ada@example.com", "name": "Ada"}
        answer = app.test_client().post("/api/subscribers", json=person, headers={"Idempotency-Key": "k"})
        codes.append(answer.status_code)

    threads = [Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {200, 409}
    assert 200 in codes
    assert app.test_client().get("/api/subscribers").json["data"]["total"] == 1
