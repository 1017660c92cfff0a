"""The p99 of GET /api/queue/stats with ten million deliveries in the queue and with ten thousand."""

from __future__ import annotations

import json
import time
from typing import Any

from flask.testing import FlaskClient

from application.installation import Installation as Built
from benchmarks.histories.ten_million import fill, start_campaign
from benchmarks.installation import installation
from domain.clock import SystemClock
from web.app import create_app
from web.http.settings import WebSettings

SMALL, LARGE = 10_000, 10_000_000
REQUESTS = 1_000
REACH = 1.5


def run() -> dict[str, Any]:
    with installation() as made:
        campaign = start_campaign(made, 1)
        client = create_app(Built.over(made.pool, SystemClock()), settings=WebSettings()).test_client()
        fill(made.pool, campaign, SMALL)
        baseline = percentile_99(client, SMALL)
        fill(made.pool, campaign, LARGE)
        value = percentile_99(client, LARGE)
    ratio = value / baseline
    line = {"name": "stats", "value": round(value, 2), "unit": "ms (p99)", "baseline": round(baseline, 2)}
    line |= {"ratio": round(ratio, 2), "reach": REACH, "ok": ratio <= REACH}
    return line


def percentile_99(client: FlaskClient, expected: int) -> float:
    """In milliseconds; the best of three turns, so that a busy moment of the machine decides nothing."""
    return min(_turn(client, expected) for _ in range(3))


def _turn(client: FlaskClient, expected: int) -> float:
    took = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        answer = client.get("/api/queue/stats")
        took.append(time.perf_counter() - started)
        assert answer.json["data"]["queued"] == expected
    return sorted(took)[REQUESTS * 99 // 100] * 1000


if __name__ == "__main__":
    print(json.dumps(run()))
