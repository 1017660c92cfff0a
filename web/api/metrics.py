"""Figures for Prometheus: the queue's from its counters at the time of asking, the requests' of this
process."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from projections import availability
from projections.availability import Availability
from projections.following import schema
from projections.following.schema import log_head
from projections.queue import queue
from web.http.access import needs
from web.http.services import reading, services

blueprint = Blueprint("metrics", __name__)

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
EVERLASTING = frozenset({"live.stream"})
"""Endpoints whose answers last as long as somebody looks: their time says nothing."""


def install(app: Flask) -> None:
    registry = CollectorRegistry()
    app.extensions["postledger.metrics"] = registry
    seconds = Histogram(
        "postledger_http_request_seconds",
        "Time from a request to its answer.",
        ("endpoint",),
        buckets=BUCKETS,
        registry=registry,
    )
    answers = Counter(
        "postledger_http_responses", "Answers by status.", ("endpoint", "status"), registry=registry
    )

    @app.before_request
    def begin() -> None:
        g.begun_at = monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        answers.labels(endpoint, str(response.status_code)).inc()
        if endpoint not in EVERLASTING and "begun_at" in g:
            seconds.labels(endpoint).observe(monotonic() - g.begun_at)
        return response


@blueprint.get("/metrics")
@needs("read")
def metrics() -> Response:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(QueueMetrics())
    lines = generate_latest(registry) + generate_latest(current_app.extensions["postledger.metrics"])
    return Response(lines, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class QueueMetrics:
    """A collector in the sense of prometheus_client: reads everything in one transaction."""

    def collect(self) -> Iterable[Metric]:
        with reading() as cursor:
            counts = queue.counts(cursor)
            capacity = availability.capacity(cursor, services().clock.now())
            positions = schema.positions(cursor)
            head = log_head(cursor)
        deliveries = GaugeMetricFamily("postledger_deliveries", "Deliveries by status.", labels=["status"])
        for status, count in counts.items():
            deliveries.add_metric([status], count)
        yield deliveries
        yield from servers(capacity.servers)
        yield CounterMetricFamily("postledger_log_events", "Events in the log.", value=head)
        lag = head - min(positions.values(), default=0)
        yield GaugeMetricFamily("postledger_projection_lag_events", "Events not yet projected.", value=lag)


def servers(found: list[Availability]) -> Iterable[Metric]:
    available = GaugeMetricFamily(
        "postledger_server_available", "1 when the server takes e-mails now.", labels=["server"]
    )
    limit = GaugeMetricFamily(
        "postledger_server_daily_limit", "E-mails a day, 0 for no limit.", labels=["server"]
    )
    used = GaugeMetricFamily("postledger_server_daily_used", "E-mails used today.", labels=["server"])
    for server in found:
        available.add_metric([server.name], int(server.available))
        limit.add_metric([server.name], server.daily_limit)
        used.add_metric([server.name], server.daily_used)
    return available, limit, used
