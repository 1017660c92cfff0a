"""Health, metrics, assets, and how the server starts and stops."""

from __future__ import annotations

import hashlib
import re
import signal
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from domain.clock import VirtualClock
from storage.postgres.pool import Pool
from tests.web.serving import served
from tests.web.world import World
from web.app import create_app
from web.http.settings import WebSettings
from web.server import serve

STATIC = Path(__file__).parents[2] / "web" / "static"


def test_a_living_process_says_so_without_a_database(world: World, clock: VirtualClock, pool: Pool) -> None:
    client = create_app(world.installation, settings=WebSettings()).test_client()
    assert client.get("/readyz").status_code == 200
    pool.close()
    assert client.get("/healthz").status_code == 200
    for path in ("/readyz", "/api/queue/stats"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "database" in answer.json["message"]


def test_metrics_tell_the_queue_and_the_requests(client: FlaskClient, world: World) -> None:
    server, campaign, people = world.server("alpha", daily_limit=5), world.campaign(), world.people(2)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.shown()
    client.get("/api/queue/stats")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }
    assert samples["postledger_deliveries", "queued"] == 1
    assert samples["postledger_deliveries", "sent"] == 1
    assert samples["postledger_server_daily_limit", "alpha"] == 5
    assert samples["postledger_server_daily_used", "alpha"] == 1
    assert samples["postledger_server_available", "alpha"] == 1
    assert samples["postledger_projection_lag_events",] == 0
    assert samples["postledger_http_responses_total", "queue.stats", "200"] == 1
    assert samples["postledger_http_request_seconds_count", "queue.stats"] == 1


def test_assets_are_kept_for_ever_by_their_version(client: FlaskClient) -> None:
    page = client.get("/").text
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+\?v=[^"]+)"', page)
    assert len(addresses) >= 3
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        answer.close()
    unversioned = client.get("/static/base.css?v=old")
    assert "immutable" not in unversioned.headers["Cache-Control"]
    unversioned.close()


def test_a_version_is_the_hash_of_the_file(client: FlaskClient) -> None:
    digest = hashlib.sha256((STATIC / "base.css").read_bytes()).hexdigest()
    assert f"base.css?v={digest[:12]}" in client.get("/").text


def test_pages_are_small_and_ask_nobody_else(client: FlaskClient) -> None:
    page = client.get("/").text
    assert not re.findall(r'(?:href|src|action)="(?:https?:)?//', page)
    assert (STATIC / "base.css").stat().st_size <= 25_000
    assert sum(path.stat().st_size for path in STATIC.rglob("*")) + len(page) < 100_000
    for path in STATIC.rglob("*.*"):
        assert "http" not in path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


def test_live_pages_never_take_all_threads(world: World, clock: VirtualClock, pool: Pool) -> None:
    app = create_app(world.installation, settings=WebSettings(streams=16))
    with pytest.raises(ValueError, match="threads"):
        serve(app, "127.0.0.1", 0, threads=16)


PATIENCE = 60
"""Seconds that a loaded machine may take over what is done at once."""


def test_a_body_that_is_too_large_is_refused_and_ends_its_connection_as_it_says(
    world: World, database_url: str
) -> None:
    with served(database_url) as (process, _), requests.Session() as client:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        headers = {"Content-Type": "application/json"}
        for size in (70_000, 1_000_000, 20_000_000):
            answer = client.post(f"{address}/api/lists", data=b" " * size, headers=headers, timeout=PATIENCE)
            assert (answer.status_code, answer.headers["Connection"]) == (413, "close")
            assert answer.json()["message"] == "The request body is too large."
        parts = iter([b" " * 50_000] * 4)
        chunks = client.post(f"{address}/api/lists", data=parts, headers=headers, timeout=PATIENCE)
        assert (chunks.status_code, chunks.headers["Connection"]) == (413, "close"), chunks.text
        small = client.post(f"{address}/api/lists", data=b"{", headers=headers, timeout=PATIENCE)
        assert (small.status_code, small.headers["Connection"]) == (400, "keep-alive")
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 0


def test_the_server_stops_at_once_though_pages_are_open(world: World, database_url: str) -> None:
    with served(database_url, grace=10 * PATIENCE) as (process, port):
        assert process.stdout is not None
        assert process.stdout.readline() == f"http://127.0.0.1:{port}\n"
        viewer = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        viewer.request("GET", "/live")
        stream = viewer.getresponse()
        assert any(line.startswith(b"event: fragments") for line in stream)
        follower = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        follower.request("GET", "/api/events", headers={"Accept": "text/event-stream"})
        feed = follower.getresponse()
        assert feed.readline() == b"retry: 2000\n"
        other = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        other.request("GET", "/api/queue/stats")
        assert other.getresponse().status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0, "whoever waits for pages to be closed waits far longer"
        assert process.stdout.read() == "left by one process\n"
        assert stream.read().endswith(b"\n\n"), "the last message is whole"
        assert feed.read() == b"\n", "it ends with the first message"
        viewer.close()
        follower.close()
        other.close()
