"""A queue with as many rows as asked for, all due, of one running campaign, as the fold would leave it."""

from __future__ import annotations

from storage.pool import Pool

ROWS = """
    INSERT INTO queue (campaign, recipient, due, queued_at, changed_at, version, server, status, attempts)
    SELECT 1, n, '2026-03-06T12:00:00Z'::timestamptz + (n / 1000) * interval '1 ms',
           '2026-03-06T12:00:00Z', '2026-03-06T12:00:00Z', 0, 0, 0, 0
    FROM generate_series(1, %s) n
"""

COUNTS = "INSERT INTO queue_counts VALUES (1, 0, 0, %s)"

CAMPAIGN = """
    INSERT INTO queue_campaigns (campaign, state, priority, queueing_finished, queued)
    VALUES (1, 'running', 'normal', true, %s)
"""


def fill(pool: Pool, rows: int) -> None:
    with pool.transaction() as cursor:
        cursor.execute("TRUNCATE queue, queue_counts, queue_campaigns")
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'queue' AND indexname LIKE 'queue_d%'")
        (index,) = cursor.fetchone()
        cursor.execute("DROP INDEX queue_due")
        cursor.execute(ROWS, (rows,))
        cursor.execute(COUNTS, (rows,))
        cursor.execute(CAMPAIGN, (rows,))
        cursor.execute(index)
    connection = pool.open()
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in ("VACUUM ANALYZE queue", "RESET ROLE", "CHECKPOINT"):
            cursor.execute(statement)
    connection.close()
