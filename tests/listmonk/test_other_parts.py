"""Imports, unsubscribing, the dashboard and the test of SMTP settings, through a client of listmonk."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from application.people import imports as running
from domain.streams import campaign_stream, server_stream
from postledger.sink.sink import Sink
from storage.postgres.pool import Pool
from tests.listmonk.client import Listmonk, ListmonkError
from tests.web.world import World

CSV = (
    b"email,name,attributes,favourite\n"
    b'ann@example.com,Ann,"{""city"": ""Oslo""}",tea\n'
    b"nobody,Nobody,,\n"
    b"bob@example.com,Bob,,coffee\n"
)


@pytest.fixture
def friends(listmonk: Listmonk) -> int:
    return int(listmonk.post("/api/lists", {"name": "Friends", "type": "public", "optin": "single"})["id"])


def until(condition: Callable[[], Any]) -> Any:
    pause = Event()
    for _ in range(600):
        if found := condition():
            return found
        pause.wait(0.05)
    raise AssertionError("it did not come about within half a minute")


def upload(listmonk: Listmonk, content: bytes, name: str = "people.csv", **parameters: Any) -> Any:
    values = {"mode": "subscribe", "delim": ",", **parameters}
    return listmonk.upload("/api/import/subscribers", {"params": json.dumps(values)}, name, content)


def ended(listmonk: Listmonk) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = listmonk.get("/api/import/subscribers")
        return found if found["status"] not in ("importing", "stopping") else None

    status: dict[str, Any] = until(look)
    return status


def test_a_file_is_imported_as_in_the_documentation(listmonk: Listmonk, friends: int) -> None:
    assert listmonk.get("/api/import/subscribers") == {
        "name": "",
        "total": 0,
        "imported": 0,
        "status": "none",
    }
    begun = upload(listmonk, CSV, lists=[friends], subscription_status="confirmed", overwrite=True)
    assert (begun["name"], begun["total"]) == ("people.csv", 3)
    assert ended(listmonk) == {"name": "people.csv", "total": 3, "imported": 2, "status": "finished"}
    logs = listmonk.get("/api/import/subscribers/logs")
    assert "processing 'people.csv'" in logs
    assert "skipping line 3" in logs
    assert logs.endswith("imported finished\n")
    people = listmonk.get("/api/subscribers", list_id=friends, subscription_status="confirmed", order="asc")
    assert [(one["email"], one["attribs"]) for one in people["results"]] == [
        ("ann@example.com", {"city": "Oslo"}), ("bob@example.com", {}),
    ]  # fmt: skip
    assert listmonk.delete("/api/import/subscribers")["status"] == "none"


def test_a_zip_with_another_delimiter_is_taken_too(listmonk: Listmonk, friends: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("people.csv", "name;email\nAnn;ann@example.com\n")
    upload(listmonk, packed.getvalue(), "people.zip", delim=";", lists=[friends])
    assert ended(listmonk)["imported"] == 1


def test_an_import_can_blocklist(listmonk: Listmonk) -> None:
    listmonk.post("/api/subscribers", {"email": "ann@example.com", "name": "Ann"})
    upload(listmonk, CSV, mode="blocklist")
    assert ended(listmonk)["imported"] == 2
    blocklisted = listmonk.get("/api/subscribers", query="status = 'blocklisted'")
    assert blocklisted["total"] == 2


def test_one_import_goes_at_a_time_and_can_be_stopped(
    listmonk: Listmonk, friends: int, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "EVERY", 0.01)
    with pool.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('postledger recipients import'))")
        upload(listmonk, CSV, lists=[friends])
        with pytest.raises(ListmonkError, match="409"):
            upload(listmonk, CSV, lists=[friends])
        assert listmonk.delete("/api/import/subscribers")["status"] == "stopping"
        until(lambda: is_told(pool))
    assert ended(listmonk)["status"] == "none"
    assert listmonk.get("/api/subscribers")["total"] == 0


def is_told(pool: Pool) -> bool:
    """Whether the import has said that it is alive since it was to stop."""
    with pool.transaction() as cursor:
        cursor.execute("SELECT bool_or(stop_wanted AND alive_at > begun_at + interval '50 ms') FROM imports")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "lists"),
        ({"lists": [99]}, "there is no list 99"),
        ({"mode": "move", "lists": [1]}, "mode"),
        ({"delim": "::", "lists": [1]}, "delim"),
        ({"subscription_status": "gone", "lists": [1]}, "subscription_status"),
    ],
)
def test_an_import_with_wrong_parameters_does_not_begin(
    listmonk: Listmonk, friends: int, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ListmonkError, match=f"400: .*{reason}"):
        upload(listmonk, CSV, **fields)
    assert listmonk.get("/api/import/subscribers")["status"] == "none"


def test_who_watches_bounces_sees_none(listmonk: Listmonk) -> None:
    page = listmonk.get("/api/bounces", per_page=50, order_by="created_at", order="desc", source="")
    assert (page["results"], page["total"], page["page"]) == ([], 0, 1)


@pytest.mark.parametrize("path", ["x/y", "{campaign}/x", "{server}/{person}", "{campaign}/{campaign}"])
def test_a_link_that_is_not_ours_leads_nowhere(app: Any, listmonk: Listmonk, world: World, path: str) -> None:
    person = listmonk.post("/api/subscribers", {"email": "ann@example.com"})["uuid"]
    campaign, server = campaign_stream(world.campaign()), server_stream(1)
    address = "/subscription/" + path.format(campaign=campaign, server=server, person=person)
    assert app.test_client().get(address).status_code == 404
    assert app.test_client().post(address).status_code == 404


def test_the_dashboard_counts(listmonk: Listmonk, friends: int, world: World) -> None:
    listmonk.post("/api/subscribers", {"email": "ann@example.com", "lists": [friends]})
    listmonk.post("/api/subscribers", {"email": "bob@example.com", "status": "blocklisted"})
    world.campaign()
    world.shown()
    counts = listmonk.get("/api/dashboard/counts")
    assert counts == {
        "subscribers": {"total": 2, "blocklisted": 1, "orphans": 1},
        "lists": {"total": 1, "private": 0, "public": 1, "optin_single": 1, "optin_double": 0},
        "campaigns": {"total": 1, "by_status": {"draft": 1}},
        "messages": 0,
    }


def test_smtp_settings_are_tried(listmonk: Listmonk) -> None:
    settings = {"enabled": True, "host": "127.0.0.1", "auth_protocol": "none", "username": "", "password": "",
                "tls_type": "none", "max_conns": 10, "idle_timeout": "15s", "wait_timeout": "5s",
                "email_headers": [], "email": "me@example.com"}  # fmt: skip
    with Sink() as sink:
        lines = listmonk.post("/api/settings/smtp/test", {**settings, "port": sink.port})
        assert any(line.startswith("server: 220") for line in lines)
        assert not sink.messages
    with pytest.raises(ListmonkError, match=r"409: .*Check host and port"):
        listmonk.post("/api/settings/smtp/test", {**settings, "port": sink.port})
