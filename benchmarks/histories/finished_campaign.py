"""The log of a finished campaign, written with SQL: valid events in a likely order, without the hash chain.

Twenty e-mails are on their way at a time. One in fifty is put off once, one in a hundred fails. Each of
thirty servers reserves for every 6,000 e-mails.
"""

from __future__ import annotations

from typing import Any

from domain.streams import audience_stream, campaign_stream
from storage.postgres.pool import Pool

SERVERS = 30
AT_ONCE = 20

EVENTS = """
    INSERT INTO events (position, recorded_at, stream_id, version, topic, state, hash)
    SELECT row_number() OVER (ORDER BY place, part), '2026-03-06T12:00:00Z'::timestamptz
               + greatest(place, 0) * interval '160 microseconds',
           stream, version, topic, convert_to(state, 'UTF8'), '\\x00'
    FROM (
        SELECT -3.0 AS place, 0.0 AS part, %(campaign)s::uuid AS stream, 1 AS version,
               'campaign.created' AS topic,
               '{"timestamp":"2026-03-06T12:00:00+00:00","originator_topic":"campaign","by":"cli","number":1,'
               '"name":"A","subject":"S","text":null,"html":null,"lists":[1],"messenger":null,'
               '"priority":"normal","headers":[]}' AS state
        UNION ALL
        SELECT -2.0, 0.0, %(campaign)s::uuid, 2, 'campaign.started',
               '{"timestamp":"2026-03-06T12:00:00+00:00","by":"cli"}'
        UNION ALL
        SELECT -1.0, n, %(audience)s::uuid, n, 'audience.recipients_queued',
               format('{"by":"processor:1","ranges":[[%%s,%%s]],"count":1000}', n * 1000 - 999, n * 1000)
        FROM generate_series(1, %(people)s / 1000) n
        UNION ALL
        SELECT -0.5, 0.0, %(campaign)s::uuid, 3, 'campaign.queueing_finished',
               format('{"timestamp":"2026-03-06T12:00:00+00:00","by":"processor:1","recipients":%%s}',
                      %(people)s::integer)
        UNION ALL
        SELECT n * 6000.0 - 0.1, server,
               ('00000000-0005-8000-8000-0000' || lpad(to_hex(server), 8, '0'))::uuid, n + 1,
               'capacity.reserved',
               format('{"by":"processor:1","n":300,"day":"2026-03-06","until":%%s.0}', 1772798410 + n * 20)
        FROM generate_series(0, (%(people)s - 1) / 6000) n, generate_series(1, %(servers)s) server
        UNION ALL
        SELECT (n / %(at_once)s) * %(at_once)s + e.step * 5.0, n %% %(at_once)s,
               ('00000001-0003-8000-8000-0000' || lpad(to_hex(n + 1), 8, '0'))::uuid, e.version, e.topic,
               format(e.state, n %% %(servers)s + 1, n / 6000 + 1)
        FROM generate_series(0, %(people)s - 1) n
        JOIN LATERAL (VALUES
            (0, 1, 'delivery.attempt_started',
             '{"by":"processor:1","server":%%s,"reservation":%%s,"remaining":512}', true),
            (1, 2, 'delivery.accepted',
             '{"by":"processor:1","server":%%s,"reply":"2.0.0 Ok: queued","code":250}',
             n %% 50 > 0 AND n %% 100 <> 7),
            (1, 2, 'delivery.failed',
             '{"by":"processor:1","server":%%s,"reply":"5.1.1 No such user","code":550,'
             '"about":"recipient"}', n %% 100 = 7),
            (1, 2, 'delivery.deferred',
             '{"by":"processor:1","server":%%s,"reply":"4.2.0 Greylisted","code":450,'
             '"about":"recipient","again":1772798460.5}', n %% 50 = 0),
            (1000, 3, 'delivery.attempt_started',
             '{"by":"processor:1","server":%%s,"reservation":%%s,"remaining":512}', n %% 50 = 0),
            (1001, 4, 'delivery.accepted',
             '{"by":"processor:1","server":%%s,"reply":"2.0.0 Ok: queued","code":250}',
             n %% 50 = 0)
        ) AS e (step, version, topic, state, happens) ON e.happens
        UNION ALL
        SELECT 1e12, 0.0, %(campaign)s::uuid, 4, 'campaign.finished',
               '{"timestamp":"2026-03-06T12:00:00+00:00","by":"processor:1"}'
    ) AS told
"""


def write(pool: Pool, people: int) -> int:
    """The position of its last event. The log is empty before; `people` is a multiple of 1,000."""
    with pool.transaction() as cursor:
        cursor.execute(
            EVENTS,
            {
                "campaign": str(campaign_stream(1)),
                "audience": str(audience_stream(1)),
                "people": people,
                "servers": SERVERS,
                "at_once": AT_ONCE,
            },
        )
        cursor.execute("UPDATE log_head SET position = (SELECT max(position) FROM events)")
        cursor.execute("SELECT position FROM log_head")
        head: Any = cursor.fetchone()
    _vacuum(pool)
    return int(head[0])


def _vacuum(pool: Pool) -> None:
    """What autovacuum has long done by the time that a campaign is finished."""
    connection = pool.open()
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in ("RESET ROLE", "VACUUM ANALYZE events", "CHECKPOINT"):
            cursor.execute(statement)
    connection.close()
