"""How the queue follows from the log: its tables and their fold. The queries are in projections.queue."""

from __future__ import annotations

from typing import Any

from domain.campaign.events import EVENT_CLASSES as CAMPAIGN_EVENTS
from domain.campaign.events import STATE_AFTER
from domain.campaign.state import State
from domain.delivery.about import UNTOUCHED, About
from domain.delivery.delivery import BY_POLICY, STATUS_AFTER, Status
from projections.following.batch import NUMBERS, DecodedEvent, EventBatch
from projections.following.projection import Projection

QUEUED = Status.QUEUED.number

AUDIENCE = "audience.recipients_queued"
CAMPAIGN = frozenset(event.TOPIC for event in CAMPAIGN_EVENTS)

# `server` is the last one tried, 0 for none. `version` is the delivery stream's last. `attempts` counts
# since the delivery was last put in the queue, without those that left the e-mail untouched;
# `interruptions` as domain.delivery.delivery.interruptions_after does.
# A queued row in a cancelled campaign is cancelled: cancelling changes one row, not a million.
# The vacuum settings keep short what a scan of the due ones has to step over.
QUEUE = """
    CREATE TABLE queue (
        campaign        integer     NOT NULL,
        recipient       integer     NOT NULL,
        due             timestamptz NOT NULL,
        queued_at       timestamptz NOT NULL,
        changed_at      timestamptz NOT NULL,
        version         integer     NOT NULL,
        server          integer     NOT NULL,
        status          smallint    NOT NULL,
        attempts        smallint    NOT NULL,
        interruptions   smallint    NOT NULL,
        first_failed_at timestamptz,
        error           text,
        PRIMARY KEY (campaign, recipient)
    ) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 50000,
            autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.2)
"""

QUEUE_INDEXES = (
    f"CREATE INDEX queue_due ON queue (campaign, due, recipient) WHERE status = {QUEUED}",
    f"CREATE INDEX queue_begun ON queue (campaign, status, server, recipient) WHERE status <> {QUEUED}",
)

# How many rows have which status, as the rows say it.
COUNTS = """
    CREATE TABLE queue_counts (
        campaign integer  NOT NULL,
        server   integer  NOT NULL,
        status   smallint NOT NULL,
        n        bigint   NOT NULL,
        PRIMARY KEY (campaign, server, status)
    ) WITH (fillfactor = 50)
"""

# The counts here are those to be shown: what waits in a cancelled campaign is in `cancelled`.
CAMPAIGNS = f"""
    CREATE TABLE queue_campaigns (
        campaign          integer PRIMARY KEY,
        state             text    NOT NULL,
        priority          text    NOT NULL,
        messenger         integer,
        send_at           timestamptz,
        transactional     boolean NOT NULL,
        queueing_finished boolean NOT NULL DEFAULT false,
        {", ".join(f"{status} bigint NOT NULL DEFAULT 0" for status in Status)}
    ) WITH (fillfactor = 50)
"""

SCRATCH = """
    CREATE TEMPORARY TABLE IF NOT EXISTS touched (
        campaign integer NOT NULL, recipient integer NOT NULL, version integer NOT NULL,
        status smallint NOT NULL, server integer, attempts integer NOT NULL, requeued boolean NOT NULL,
        interruptions integer NOT NULL, by_hand boolean NOT NULL,
        due timestamptz, changed_at timestamptz NOT NULL, first_failed_at timestamptz, error text
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS moves (
        campaign integer NOT NULL, server integer NOT NULL, status smallint NOT NULL, n bigint NOT NULL
    ) ON COMMIT DELETE ROWS;
    DELETE FROM touched;
    DELETE FROM moves
"""

# What the batch means for each delivery in it, so that its row is written once. Version and status go
# into one number to find the last one in one pass; version and server likewise.
TOUCHED = """
    INSERT INTO touched
    WITH requeues AS (
        SELECT campaign, number, max(version) AS version,
               max(version) FILTER (WHERE again IS NULL OR reply <> %(by_policy)s) AS by_hand
        FROM batch WHERE topic = 'delivery.requeued' GROUP BY campaign, number
    ), ends AS (
        SELECT b.campaign, b.number, max(b.version) AS version,
               (max(b.version::bigint << 8 | b.status) & 255)::smallint AS status,
               (max(b.version::bigint << 32 | b.server) FILTER (WHERE b.status = %(sending)s)
                   & 4294967295)::integer AS server,
               count(*) FILTER (WHERE b.status = %(sending)s AND (r.version IS NULL OR b.version > r.version))
                   - count(*) FILTER (WHERE b.status = %(queued)s AND b.about = ANY (%(untouched)s)
                                      AND (r.version IS NULL OR b.version > r.version)) AS attempts,
               count(r.version) > 0 AS requeued,
               count(*) FILTER (WHERE (b.status = %(unknown)s
                                       OR b.status = %(queued)s AND b.about = %(processor)s)
                                  AND (r.by_hand IS NULL OR b.version > r.by_hand)) AS interruptions,
               count(r.by_hand) > 0 AS by_hand,
               max(b.version) FILTER (WHERE b.status = %(queued)s) AS due_version,
               max(b.at) AS changed_at,
               min(b.at) FILTER (WHERE b.status = %(queued)s AND b.about <> ALL (%(untouched)s)
                                 AND (r.version IS NULL OR b.version > r.version)) AS first_failed_at,
               max(b.version) FILTER (WHERE b.reply IS NOT NULL AND b.topic <> 'delivery.requeued')
                   AS error_version
        FROM batch b LEFT JOIN requeues r ON r.campaign = b.campaign AND r.number = b.number
        WHERE b.status IS NOT NULL
        GROUP BY b.campaign, b.number
    ), refusals AS (
        SELECT campaign, number, version, reply, coalesce(to_timestamp(again), at) AS due
        FROM batch WHERE status NOT IN (%(sending)s, %(sent)s)
    )
    SELECT ends.campaign, ends.number, ends.version, ends.status, ends.server, ends.attempts,
           ends.requeued, ends.interruptions, ends.by_hand,
           d.due, ends.changed_at, ends.first_failed_at, e.reply
    FROM ends
    LEFT JOIN refusals d ON d.campaign = ends.campaign AND d.number = ends.number
                        AND d.version = ends.due_version
    LEFT JOIN refusals e ON e.campaign = ends.campaign AND e.number = ends.number
                        AND e.version = ends.error_version
"""

LEAVING = """
    INSERT INTO moves
    SELECT q.campaign, q.server, q.status, -1
    FROM touched t JOIN queue q ON q.campaign = t.campaign AND q.recipient = t.recipient
"""

MOVE = """
    WITH moved AS (
        UPDATE queue q
        SET version = t.version, status = t.status,
            server = coalesce(t.server, q.server),
            attempts = CASE WHEN t.requeued THEN t.attempts ELSE q.attempts + t.attempts END,
            interruptions = t.interruptions + CASE WHEN t.by_hand THEN 0 ELSE q.interruptions END,
            due = coalesce(t.due, q.due),
            changed_at = greatest(q.changed_at, t.changed_at),
            first_failed_at = CASE WHEN t.requeued THEN t.first_failed_at
                                   ELSE least(q.first_failed_at, t.first_failed_at) END,
            error = CASE WHEN t.status <> %(sent)s THEN coalesce(t.error, q.error) END
        FROM touched t WHERE q.campaign = t.campaign AND q.recipient = t.recipient
        RETURNING q.campaign, q.server, q.status
    )
    INSERT INTO moves SELECT campaign, server, status, count(*) FROM moved GROUP BY 1, 2, 3
"""

# A delivery that is queued and tried in the same batch is written as it ends.
ADD = """
    WITH audience AS (
        SELECT campaign, at, generate_series((part->>0)::integer, (part->>1)::integer) AS recipient
        FROM batch, jsonb_array_elements(state->'ranges') AS part
        WHERE topic = 'audience.recipients_queued'
    ), added AS (
        INSERT INTO queue
        SELECT a.campaign, a.recipient, coalesce(t.due, a.at), a.at, greatest(a.at, t.changed_at),
               coalesce(t.version, 0), coalesce(t.server, 0), coalesce(t.status, %(queued)s),
               coalesce(t.attempts, 0), coalesce(t.interruptions, 0), t.first_failed_at,
               CASE WHEN t.status <> %(sent)s THEN t.error END
        FROM audience a LEFT JOIN touched t ON t.campaign = a.campaign AND t.recipient = a.recipient
        RETURNING campaign, server, status
    )
    INSERT INTO moves SELECT campaign, server, status, count(*) FROM added GROUP BY 1, 2, 3
"""

COUNT = """
    INSERT INTO queue_counts
    SELECT campaign, server, status, sum(n) FROM moves
    GROUP BY campaign, server, status HAVING sum(n) <> 0
    ON CONFLICT (campaign, server, status) DO UPDATE SET n = queue_counts.n + excluded.n;
    DELETE FROM queue_counts WHERE n = 0 AND campaign IN (SELECT campaign FROM moves)
"""

# Whether what is queued in it counts as cancelled. c is a campaign.
CANCELS_QUEUED = f"c.state IN ({', '.join(repr(state.value) for state in State if state.cancels_queued)})"

# So it is shown. q is a delivery, or a count of them.
SHOWN = f"CASE WHEN q.status = %(queued)s AND {CANCELS_QUEUED} THEN %(cancelled)s ELSE q.status END"

COUNTERS = ", ".join(Status)
SUMS = ", ".join(f"coalesce(sum(n) FILTER (WHERE {SHOWN} = %({status})s), 0)" for status in Status)

SHOW_COUNTS = f"""
    UPDATE queue_campaigns c
    SET ({COUNTERS}) = (SELECT {SUMS} FROM queue_counts q WHERE q.campaign = c.campaign)
    WHERE c.campaign IN (SELECT campaign FROM moves) OR c.campaign = ANY (%(changed)s)
"""  # noqa: S608 - the names of all states

START_CAMPAIGN = """
    INSERT INTO queue_campaigns (campaign, state, priority, messenger, transactional)
    VALUES (%s, 'draft', %s, %s, %s)
"""

CHANGE_STATE = "UPDATE queue_campaigns SET state = %s, send_at = %s WHERE campaign = %s"
FINISH_QUEUEING = "UPDATE queue_campaigns SET queueing_finished = true WHERE campaign = %s"
CHANGE_PRIORITY = "UPDATE queue_campaigns SET priority = %s WHERE campaign = %s"
CHANGE_MESSENGER = "UPDATE queue_campaigns SET messenger = %s WHERE campaign = %s"

GROWTH = f"""
    SELECT sum({" + ".join(Status)})
               > 10000 + 2 * (SELECT reltuples FROM pg_class WHERE oid = 'queue'::regclass)
    FROM queue_campaigns
"""  # noqa: S608 - the names of all states


def fold(cursor: Any, batch: EventBatch) -> None:
    changed = [_apply(cursor, event) for event in batch.events(cursor, CAMPAIGN)]
    is_queued = batch.has((AUDIENCE,))
    cursor.execute(SCRATCH)
    if batch.has(STATUS_AFTER):
        cursor.execute(
            TOUCHED,
            {
                **NUMBERS,
                "untouched": [about.value for about in UNTOUCHED],
                "processor": About.PROCESSOR.value,
                "by_policy": BY_POLICY,
            },
        )
        cursor.execute(LEAVING)
        cursor.execute(MOVE, NUMBERS)
    if is_queued:
        cursor.execute(ADD, NUMBERS)
    cursor.execute(COUNT)
    cursor.execute(SHOW_COUNTS, {**NUMBERS, "changed": changed})
    if is_queued:
        _analyse_when_grown(cursor)


def _apply(cursor: Any, event: DecodedEvent) -> int:
    campaign, state = event.campaign, event.state
    if event.topic == "campaign.created":
        is_transactional = state.get("transactional", False)
        cursor.execute(
            START_CAMPAIGN, (campaign, state["priority"], state.get("messenger"), is_transactional)
        )
    elif event.topic in STATE_AFTER:
        cursor.execute(CHANGE_STATE, (STATE_AFTER[event.topic], state.get("send_at"), campaign))
    elif event.topic == "campaign.queueing_finished":
        cursor.execute(FINISH_QUEUEING, (campaign,))
    else:
        changes = state.get("changes", state)
        if "priority" in changes:
            cursor.execute(CHANGE_PRIORITY, (changes["priority"], campaign))
        if "messenger" in changes:
            cursor.execute(CHANGE_MESSENGER, (changes["messenger"], campaign))
    return campaign


def _analyse_when_grown(cursor: Any) -> None:
    """Without fresh statistics after a bulk insert the planner was seen to run 18 times slower."""
    cursor.execute(GROWTH)
    if cursor.fetchone()[0]:
        cursor.execute("ANALYZE queue")


PROJECTION = Projection(
    name="queue",
    tables={"queue": QUEUE, "queue_counts": COUNTS, "queue_campaigns": CAMPAIGNS},
    indexes=QUEUE_INDEXES,
    topics=frozenset({*STATUS_AFTER, *CAMPAIGN, AUDIENCE}),
    fold=fold,
    version=4,
)
