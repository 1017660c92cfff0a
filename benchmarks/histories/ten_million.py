"""A running campaign with as many deliveries in the queue as asked for, all due, as the fold leaves them."""

from __future__ import annotations

from benchmarks.installation import Installation
from storage.postgres.pool import Pool

DUE_INDEX = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'projection' AND indexname = 'queue_due'"

ROWS = """
    INSERT INTO queue (campaign, recipient, due, queued_at, changed_at, version, server, status, attempts,
                       interruptions)
    SELECT %s, n, '2026-03-06T12:00:00Z'::timestamptz + (n / 1000) * interval '1 ms',
           '2026-03-06T12:00:00Z', '2026-03-06T12:00:00Z', 0, 0, 0, 0, 0
    FROM generate_series(1, %s) n
"""


def start_campaign(made: Installation, people: int) -> int:
    """A campaign to `people` of the directory, running, with an empty queue."""
    campaign = made.create_campaign(made.add_people(people))
    made.application.start(campaign, by="benchmark")
    made.application.finish_queueing(campaign, recipients=people, by="benchmark")
    made.runner.catch_up()
    return campaign


def fill(pool: Pool, campaign: int, rows: int) -> None:
    """Replaces what the queue has."""
    with pool.transaction() as cursor:
        cursor.execute("TRUNCATE queue, queue_counts")
        cursor.execute(DUE_INDEX)
        (index,) = cursor.fetchone() or ("",)
        cursor.execute("DROP INDEX queue_due")
        cursor.execute(ROWS, (campaign, rows))
        cursor.execute(index)
        cursor.execute("INSERT INTO queue_counts VALUES (%s, 0, 0, %s)", (campaign, rows))
        cursor.execute("UPDATE queue_campaigns SET queued = %s WHERE campaign = %s", (rows, campaign))
    connection = pool.open()
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in ("VACUUM ANALYZE queue", "RESET ROLE", "CHECKPOINT"):
            cursor.execute(statement)
    connection.close()
