"""All projections from the log of a finished campaign, against the library's ProjectionRunner.

The baseline keeps one row per delivery and its position, and nothing else of what the projections keep.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection, ProjectionRunner

from application.decisions.postledger import Postledger
from benchmarks.histories.finished_campaign import write
from benchmarks.installation import installation
from domain.delivery.delivery import Accepted, AttemptStarted, Deferred, Failed
from domain.streams import campaign_of, number_of
from projections.following.check import check
from projections.following.rebuild import rebuild
from storage.log.recorders import LogTrackingRecorder
from storage.postgres.pool import Pool

PEOPLE = 300_000
BASELINE_EVENTS = 5_000
REACH = 100_000
REACH_RATIO = 40

TABLE = """
    CREATE TABLE projection.baseline (
        campaign integer, recipient integer, status text, server integer, PRIMARY KEY (campaign, recipient)
    )
"""

UPSERT = """
    INSERT INTO baseline VALUES (%s, %s, %s, %s)
    ON CONFLICT (campaign, recipient) DO UPDATE SET status = excluded.status, server = excluded.server
"""


class BaselineView(LogTrackingRecorder):
    def show(self, event: Any, status: str, tracking: Tracking) -> None:
        stream = event.originator_id
        with self.pool.transaction() as cursor:
            cursor.execute(UPSERT, (campaign_of(stream), number_of(stream), status, event.server))
            self._insert_tracking(cursor, tracking)


class BaselineProjection(Projection[BaselineView]):
    name = "baseline"
    topics = (AttemptStarted.TOPIC, Accepted.TOPIC, Deferred.TOPIC, Failed.TOPIC)

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.show(domain_event, type(domain_event).__name__, tracking)


def run() -> dict[str, Any]:
    with installation() as made:
        head = write(made.pool, PEOPLE)
        baseline = BASELINE_EVENTS / seconds(lambda: with_the_library(made.pool, made.url))
        value = head / min(seconds(lambda: rebuild(made.pool)) for _ in range(3))
        assert check(made.pool) == []
    ratio = value / baseline
    line = {"name": "rebuild", "value": round(value), "unit": "events/s", "baseline": round(baseline)}
    line |= {"ratio": round(ratio, 1), "reach": REACH, "ok": value >= REACH and ratio >= REACH_RATIO}
    return line


def with_the_library(pool: Pool, url: str) -> None:
    with pool.transaction() as cursor:
        cursor.execute(TABLE)
    environment = {"PERSISTENCE_MODULE": "storage.log", "DATABASE_URL": url}
    with ProjectionRunner(
        application_class=Postledger,
        projection_class=BaselineProjection,
        view_class=BaselineView,
        env=environment,
    ) as runner:
        # The first 1,300 positions tell of the campaign and the reservations.
        runner.wait(1_300 + BASELINE_EVENTS, timeout=120)


def seconds(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(run()))
