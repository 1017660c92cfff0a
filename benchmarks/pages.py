"""The server time of every page with a million deliveries and as many people, and with a thousand.

Pages are found by the routes of the application, so that a new one is measured without being named here.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from benchmarks.histories.busy_month import CAMPAIGNS, build
from benchmarks.installation import Installation, installation
from domain.clock import SystemClock
from domain.delivery.unsubscribe_token import token as unsubscribe_token
from domain.streams import campaign_stream, server_stream
from postledger.config import load
from postledger.session import Session
from storage.secrets import Secrets, new_key
from web.app import create_app
from web.http.settings import WebSettings

SMALL, LARGE = 1_000, 1_000_000
ROUNDS = 40
REACH = 150.0
KEY = new_key()

NO_PAGES = {
    "static", "live.stream", "list_pages.export", "list_pages.export_everybody", "metrics.metrics",
    "health.alive", "health.ready", "provider_sign_in.there", "provider_sign_in.back", "subscription.ask",
}  # fmt: skip
"""With what is below /api/, answers for programs: files, a stream without an end, figures. And the way
through a sign-in provider, which has nothing to show, and links by UUID, which few may ask for in an hour and
which lead nowhere in an installation that never sent them."""

RUNNING = CAMPAIGNS
DRAFT, SCHEDULED, PAUSED, CANCELLED, FINISHED = (CAMPAIGNS - 10 + digit for digit in range(1, 6))

NUMBERS: Mapping[str, Sequence[int]] = {
    "/campaigns/<int:number>/start": (DRAFT, SCHEDULED),
    "/campaigns/<int:number>/edit": (DRAFT, SCHEDULED),
    "/campaigns/": (RUNNING, DRAFT, SCHEDULED, PAUSED, CANCELLED, FINISHED),
    "/deliveries/": (RUNNING << 32 | 1,),
    "/queue/<int:number>": tuple(RUNNING << 32 | n for n in (1, 7, 11, 13, 50)),
    "/lists/": (1, 3),
    "/subscribers/imports/": (1,),
    "/subscribers/": (1, 300),
    "/": (1,),
}
"""By how the rule begins, the first that fits."""

PARTS: Mapping[str, Sequence[str]] = {
    "action": ("cancel", "retry", "send-now"),
    "step": (),
    "token": (unsubscribe_token(Secrets([KEY]).token_key(), RUNNING, 1),),
}

SERVER = server_stream(7)

QUERIES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "/campaigns": [{"search": "letter 9"}, {"status": "finished", "page": 3}],
    "/campaigns/<int:number>/preview": [{"like": 7}, {"part": "text"}],
    "/campaigns/<int:number>/start": [{"send_at": "2099-03-06T07:00"}],
    "/lists": [{"search": "List 1"}],
    "/queue/all/<action>": [{"campaign_id": RUNNING}, {"smtp_server_uuid": SERVER}, {"status": "failed"}],
    "/subscribers/new": [{"list": 1}],
}


def queries(rule: str, size: int) -> Sequence[Mapping[str, Any]]:
    """Searches, filters and last pages, beside the page as it is. `size` is the number of deliveries."""
    if rule in SEARCHES:
        return SEARCHES[rule](size)
    return QUERIES.get(rule, ())


def of_queue(size: int) -> Sequence[Mapping[str, Any]]:
    return [
        *({"status": status} for status in ("queued", "sending", "sent", "failed", "unknown")),
        {"page": size // 25},
        {"status": "sent", "page": size // 40},
        {"campaign_id": RUNNING, "status": "queued", "page": size // 150},
        {"campaign_id": RUNNING, "smtp_server_uuid": SERVER, "page": 20},
        {"smtp_server_uuid": SERVER, "page": size // 900},
        {"subscriber": "reader77@"},
        {"subscriber": "example"},
        {"subscriber": "re"},
        {"subscriber": "zq"},
        {"subscriber": "nobody there"},
    ]


def of_log(size: int) -> Sequence[Mapping[str, Any]]:
    return [
        {"before": size // 2},
        {"topic": "delivery.failed"},
        {"topic": "policy."},
        {"campaign": RUNNING},
        {"campaign": 3, "topic": "delivery.deferred"},
        {"by": "operator1"},
        {"stream": campaign_stream(RUNNING)},
        {"since": "2026-01-01", "until": "2099-01-01", "by": "nobody"},
    ]


def of_subscribers(size: int) -> Sequence[Mapping[str, Any]]:
    return [
        {"before": size // 2},
        {"before": 30},
        {"search": "reader"},
        {"search": f"reader{size // 3}"},
        {"search": "number 77"},
        {"search": "nobody there"},
        {"search": "zq"},
        {"search": "zq", "before": size // 3},
        {"list": 1, "before": 300},
        {"list": 1, "search": f"reader{size // 4}"},
        {"list": 5},
        {"list": 1, "subscription": "unsubscribed"},
        {"list": 2, "subscription": "unconfirmed"},
        {"status": "blocklisted"},
        {"status": "disabled", "list": 2, "search": "Ann"},
        {"query": "subscribers.attribs->>'city' = 'Town 5'"},
        {"query": "subscribers.attribs->>'city' = 'Nowhere'"},
        {"query": "subscribers.email LIKE 'reader12%'", "search": "cleo"},
    ]


SEARCHES: Mapping[str, Callable[[int], Sequence[Mapping[str, Any]]]] = {
    "/queue": of_queue,
    "/log": of_log,
    "/subscribers": of_subscribers,
}


def run() -> dict[str, Any]:
    small, large = measured(SMALL), measured(LARGE)
    tell(small, large)
    worst = max(large, key=lambda page: large[page].p95)
    value, baseline = large[worst].p95, small[worst].p95
    return {
        "name": "pages", "value": round(value, 1), "unit": "ms (p95 of the worst page)",
        "baseline": round(baseline, 1), "ratio": round(value / baseline, 2), "reach": REACH,
        "ok": value <= REACH,
    }  # fmt: skip


class Times:
    def __init__(self, took: Sequence[float]) -> None:
        ordered = sorted(took)
        self.p50, self.p95 = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]


def measured(size: int) -> dict[str, Times]:
    """By page. All are asked for by turns, so that a busy moment of the machine meets many a little."""
    with installation() as made:
        token = build(made, deliveries=size, people=size)
        with served(made) as app:
            client = signed_in(app, token)
            asked = dict(pages(app, size))
            took: dict[str, list[float]] = {page: [] for page in asked}
            for turn in range(ROUNDS + 1):
                for page, address in asked.items():
                    seconds = ask(client, address)
                    if turn:
                        took[page].append(seconds * 1000)
    return {page: Times(times) for page, times in took.items()}


@contextmanager
def served(made: Installation) -> Iterator[Flask]:
    """As `postledger web` has it."""
    values = {**os.environ, **made.environment, "POSTLEDGER_KEY": KEY}
    config = load({}, values, Path(made.environment["POSTLEDGER_DATA_FOLDER"]))
    app = create_app(Session.of(config, made.url, made.pool, SystemClock()), settings=WebSettings())
    yield app
    app.extensions["postledger.broadcast"].close()


def signed_in(app: Flask, token: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("postledger-session", token)
    return client


def ask(client: FlaskClient, address: str) -> float:
    began = time.perf_counter()
    answer = client.get(address, headers={"Accept": "text/html"})
    took = time.perf_counter() - began
    assert answer.status_code < 400, f"{address}: {answer.status_code} {answer.text[:500]}"
    return took


def pages(app: Flask, size: int) -> Iterator[tuple[str, str]]:
    """(name, address). A page has one name whatever the size."""
    urls = app.url_map.bind("localhost")
    for rule in sorted(app.url_map.iter_rules(), key=str):
        if not is_page(rule):
            continue
        for values in choices(rule):
            path = urls.build(rule.endpoint, values)
            yield path, path
            for query, named in zip(queries(rule.rule, size), queries(rule.rule, LARGE), strict=True):
                yield f"{path}?{urlencode(named)}", f"{path}?{urlencode(query)}"


def is_page(rule: Rule) -> bool:
    if rule.endpoint in NO_PAGES or (rule.rule.startswith("/api/") and rule.rule != "/api/docs"):
        return False
    return "GET" in (rule.methods or ())


def choices(rule: Rule) -> list[dict[str, Any]]:
    """Values for what the rule leaves open. Raises LookupError for what is new, and has to be said here."""
    found: list[dict[str, Any]] = [{}]
    for name in sorted(rule.arguments):
        values = possible(rule, name)
        found = [{**one, name: value} for one in found for value in values]
    return found


def possible(rule: Rule, name: str) -> Sequence[Any]:
    if name == "number":
        return next(numbers for start, numbers in NUMBERS.items() if rule.rule.startswith(start))
    if name == "step":
        return rule._converters[name].items  # the alternatives of `any(…)`
    if name not in PARTS:
        raise LookupError(f"what is {name} in {rule.rule} to be?")
    return PARTS[name]


def tell(small: Mapping[str, Times], large: Mapping[str, Times]) -> None:
    print(f"{'ms: p50':>9} {'p95':>8} | small: p50 {'p95':>8}  page", file=sys.stderr)
    for page in sorted(large, key=lambda page: -large[page].p95):
        few = small.get(page)
        other = f"{few.p50:10.1f} {few.p95:8.1f}" if few else " " * 19
        print(f"{large[page].p50:9.1f} {large[page].p95:8.1f} | {other}  {page}", file=sys.stderr)


if __name__ == "__main__":
    print(json.dumps(run()))
