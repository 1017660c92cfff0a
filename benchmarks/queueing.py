"""A million people from the start of a campaign until all are in the queue, each step on the record.

The baseline puts the same people into a queue table like listmonk's fork's, with one INSERT … SELECT.
"""

from __future__ import annotations

import json
import time
from typing import Any

from benchmarks.installation import Installation, installation
from processor.queueing import Queueing
from projections.following.follower import Follower
from projections.queue import queue
from storage.log.committer import Committer
from storage.postgres.pool import Pool

PEOPLE = 1_000_000
REACH = 1.3

TABLE = """
    CREATE TABLE projection.baseline (
        id                   bigserial   PRIMARY KEY,
        campaign_id          integer     NOT NULL,
        subscriber_id        integer     NOT NULL,
        status               varchar(20) NOT NULL DEFAULT 'queued',
        priority             integer     NOT NULL DEFAULT 0,
        scheduled_at         timestamptz,
        sent_at              timestamptz,
        assigned_server_uuid varchar(36),
        retry_count          integer     NOT NULL DEFAULT 0,
        last_error           text,
        created_at           timestamptz NOT NULL DEFAULT now(),
        updated_at           timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ON projection.baseline (campaign_id, status);
    CREATE INDEX ON projection.baseline (status, scheduled_at);
    CREATE INDEX ON projection.baseline (subscriber_id);
"""

FILL = """
    INSERT INTO projection.baseline (campaign_id, subscriber_id, scheduled_at)
    SELECT DISTINCT 1, s.recipient, now()
    FROM subscriptions s JOIN recipients r ON r.number = s.recipient
    WHERE s.list = %s AND s.status = 'confirmed' AND r.status = 'enabled'
"""


def run() -> dict[str, Any]:
    with installation() as made:
        people = made.add_people(PEOPLE)
        made.analyse("lists")
        checkpoint(made.pool)
        baseline = with_one_insert(made.pool, people)
        checkpoint(made.pool)
        value = ours(made, people)
    ratio = baseline / value
    line = {"name": "queueing", "value": round(value, 2), "unit": "s", "baseline": round(baseline, 2)}
    line |= {"ratio": round(ratio, 2), "reach": REACH, "ok": ratio >= REACH}
    return line


def ours(made: Installation, people: int) -> float:
    """While facts are written, those before are folded: as in a processor."""
    campaign = made.create_campaign(people)
    follower = Follower(made.runner)
    committer = Committer(made.url, on_commit=follower.wake)
    queueing = Queueing(made.pool, made.application, committer, "benchmark")
    follower.start()
    started = time.perf_counter()
    made.application.start(campaign, by="benchmark")
    while queueing.step(campaign):
        pass
    made.runner.catch_up()
    took = time.perf_counter() - started
    with made.pool.transaction() as cursor:
        assert queue.counts(cursor)["queued"] == PEOPLE
    follower.stop()
    committer.close()
    return took


def with_one_insert(pool: Pool, people: int) -> float:
    with pool.transaction() as cursor:
        cursor.execute(TABLE)
    started = time.perf_counter()
    with pool.transaction() as cursor:
        cursor.execute(FILL, (people,))
    return time.perf_counter() - started


def checkpoint(pool: Pool) -> None:
    """So that neither pays for what the other has written."""
    with pool.transaction() as cursor:
        cursor.execute("RESET ROLE; CHECKPOINT")


if __name__ == "__main__":
    print(json.dumps(run()))
