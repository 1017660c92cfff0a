"""The benchmark of pages knows every page, new ones too."""

from __future__ import annotations

import pytest
from flask import Flask

from benchmarks import pages as benchmark
from benchmarks.pages import pages

pytestmark = pytest.mark.starts_processes


def asked(app: Flask) -> list[str]:
    return [address for _, address in pages(app, 1000)]


def test_it_asks_for_every_page_and_for_nothing_else(app: Flask) -> None:
    urls = app.url_map.bind("localhost")
    found = {urls.match(address.split("?")[0])[0] for address in asked(app)}
    views = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    left_out = {endpoint for endpoint in views - found if not endpoint.startswith("listmonk_")}
    assert left_out == {
        "static", "live.stream", "list_pages.export", "list_pages.export_everybody", "metrics.metrics",
        "health.alive", "health.ready", "docs.openapi", "deliveries.listed", "deliveries.one",
        "events.events", "forecast.as_it_is", "policy.policy", "queue.listed", "queue.servers",
        "queue.stats", "servers.listed", "servers.one", "provider_sign_in.there", "provider_sign_in.back",
        "subscription.ask",
    }  # fmt: skip


def test_a_page_that_is_added_is_asked_for(app: Flask) -> None:
    app.add_url_rule("/lists/<int:number>/new", "new_page", lambda number: str(number))
    assert "/lists/1/new" in asked(app)


def test_what_it_cannot_fill_in_is_told(app: Flask) -> None:
    app.add_url_rule("/letters/<letter>", "new_page", lambda letter: str(letter))
    with pytest.raises(LookupError, match="letter"):
        asked(app)


def test_every_page_that_it_asks_for_answers(
    monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    assert len(benchmark.measured(1_000)) > 100
