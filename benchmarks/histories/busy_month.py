"""An installation after a busy month: a hundred campaigns in all states, thirty servers, users and keys.

Campaigns, servers, templates and accounts come about through the application; people and what happened to
each e-mail are written with SQL, as valid events in a likely order, without the hash chain. Half of the
e-mails belong to the campaign that is running now, of which three fifths are sent.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from application.accounts.accounts import Accounts
from application.decisions.postledger import Postledger
from application.installation import Installation as Opened
from benchmarks.installation import HTML, TEXT, Installation
from domain.clock import VirtualClock
from domain.streams import audience_stream
from projections.following import rebuild
from storage import content
from storage.accounts import sessions
from storage.log.append import Log
from storage.log.factory import LogFactory
from storage.numbers import next_campaign, next_template
from storage.people import imports

CAMPAIGNS = 100
SERVERS = 30
LISTS = 20
PASSWORD = "four words of a song"
WINDOW = timedelta(hours=7.2)
SLOTS = 36
"""Reservations of a server in a window, which is the time of one campaign: all follow one another."""

STATES = ("running", "draft", "scheduled", "paused", "cancelled")
"""By the last digit of the campaign; from 5 on they are finished."""

PEOPLE = """
    INSERT INTO recipients (email, name, attributes, status)
    SELECT 'reader' || n || '@' || (ARRAY['example.com', 'example.org', 'mail.example.net'])[n %% 3 + 1],
           (ARRAY['Ann', 'Ben', 'Cleo', 'Dora', 'Emil', 'Fay', 'Gus'])[n %% 7 + 1] || ' Number ' || n,
           jsonb_build_object('city', 'Town ' || n %% 97, 'books', n %% 12),
           CASE WHEN n %% 200 = 5 THEN 'blocklisted' WHEN n %% 500 = 6 THEN 'disabled' ELSE 'enabled' END
    FROM generate_series(1, %(people)s) n
"""

# Everybody is on the first list, half of them on the second, a twentieth on each of the others.
SUBSCRIPTIONS = """
    INSERT INTO subscriptions (list, recipient, status)
    SELECT 1, n, CASE WHEN n %% 40 = 1 THEN 'unsubscribed' WHEN n %% 10 = 2 THEN 'unconfirmed'
                      ELSE 'confirmed' END
    FROM generate_series(1, %(people)s) n
    UNION ALL
    SELECT 2, n, 'confirmed' FROM generate_series(1, %(people)s, 2) n
    UNION ALL
    SELECT 3 + n %% (%(lists)s - 2), n, 'confirmed' FROM generate_series(1, %(people)s) n
    ORDER BY 1, 2
"""

# What becomes of a delivery goes by its recipient. A reservation is named by its version: each is followed
# by its return.
WHAT_HAPPENED = """
    INSERT INTO events (position, recorded_at, stream_id, version, topic, state, hash)
    SELECT %(head)s + row_number() OVER (ORDER BY at, part, stream, version),
           %(begin)s::timestamptz + at * interval '1 second', stream, version, topic,
           convert_to(state, 'UTF8'), '\\x00'
    FROM (
        SELECT slot * 720.0 AS at, 0 AS part,
               ('00000000-0005-8000-8000-0000' || lpad(to_hex(server), 8, '0'))::uuid AS stream,
               2 * (%(window)s * %(slots)s + slot) + 1 AS version, 'capacity.reserved' AS topic,
               format('{"by":"processor:1","n":100,"day":"%%s","until":%%s}',
                      to_char(%(begin)s::timestamptz + slot * interval '12 minutes', 'YYYY-MM-DD'),
                      extract(epoch FROM %(begin)s::timestamptz) + slot * 720 + 10) AS state
        FROM generate_series(0, %(slots)s - 1) slot, generate_series(1, %(servers)s) server
        UNION ALL
        SELECT slot * 720.0 + 719, 2,
               ('00000000-0005-8000-8000-0000' || lpad(to_hex(server), 8, '0'))::uuid,
               2 * (%(window)s * %(slots)s + slot) + 2, 'capacity.returned',
               format('{"by":"processor:1","reservation":%%s,"unused":70,"at":%%s}',
                      2 * (%(window)s * %(slots)s + slot) + 1,
                      extract(epoch FROM %(begin)s::timestamptz) + slot * 720 + 719)
        FROM generate_series(0, %(slots)s - 1) slot, generate_series(1, %(servers)s) server
        UNION ALL
        SELECT 0.0, 1, %(audience)s::uuid, n, 'audience.recipients_queued',
               format('{"by":"processor:1","ranges":[[%%s,%%s]],"count":%%s}', n * 1000 - 999,
                      least(n * 1000, %(size)s), least(n * 1000, %(size)s) - n * 1000 + 1000)
        FROM generate_series(1, (%(size)s + 999) / 1000) n
        UNION ALL
        SELECT made.at + e.later, 1,
               (lpad(to_hex(%(campaign)s), 8, '0') || '-0003-8000-8000-0000'
                || lpad(to_hex(made.n), 8, '0'))::uuid, e.version, e.topic,
               format(e.state, made.n %% %(servers)s + 1,
                      2 * (%(window)s * %(slots)s + (made.at::integer / 720)) + 1)
        FROM (SELECT n, n * 25000.0 / (%(begun)s + 1) AS at FROM generate_series(1, %(begun)s) n) AS made
        JOIN LATERAL (VALUES
            (0, 1, 'delivery.attempt_started', '{"by":"processor:1","server":%%s,"reservation":%%s}',
             n %% 200 <> 13),
            (0, 1, 'delivery.suppressed', '{"by":"processor:1","reason":"unsubscribed"}', n %% 200 = 13),
            (1, 2, 'delivery.failed',
             '{"by":"processor:1","server":%%s,"reply":"5.1.1 No such user","code":550,'
             '"about":"recipient"}', n %% 100 = 7),
            (1, 2, 'delivery.outcome_unknown', '{"by":"processor:1","server":%%s,"reason":"it died"}',
             n %% 200 = 11),
            (1, 2, 'delivery.deferred',
             '{"by":"processor:1","server":%%s,"reply":"4.2.0 Greylisted","code":450,'
             '"about":"recipient","again":' || extract(epoch FROM %(again)s::timestamptz) || '}',
             n %% 50 = 0),
            (100, 3, 'delivery.attempt_started', '{"by":"processor:1","server":%%s,"reservation":%%s}',
             n %% 50 = 0 AND %(over)s),
            (101, 4, 'delivery.accepted', '{"by":"processor:1","server":%%s,"reply":"2.0.0 Ok","code":250}',
             n %% 50 = 0 AND %(over)s),
            (1, 2, 'delivery.accepted', '{"by":"processor:1","server":%%s,"reply":"2.0.0 Ok","code":250}',
             n %% 50 > 0 AND n %% 100 <> 7 AND n %% 200 NOT IN (11, 13)
             AND (%(over)s OR n <= %(begun)s - 40))
        ) AS e (later, version, topic, state, happens) ON e.happens
    ) AS told
"""


def build(made: Installation, *, deliveries: int, people: int) -> str:
    """`people` are at least half as many as the deliveries. The token of an admin's session."""
    now = datetime.now(UTC)
    clock = VirtualClock(now - CAMPAIGNS * WINDOW - timedelta(hours=1))
    log = Log(made.pool, clock)
    application = Postledger(factory=LogFactory(pool=made.pool, log=log, clock=clock), clock=clock)
    add_people(made, people)
    made.application = application
    made.add_servers(SERVERS, 25, daily_limit=5000, sliding_window=True,
                     sliding_window_rate=2000, sliding_window_duration=3600)  # fmt: skip
    add_templates(made, application)
    token = add_accounts(made, clock, now)
    size = deliveries // 2 // (CAMPAIGNS * 8 // 10 - 1)
    for window in range(CAMPAIGNS):
        clock.advance_to(now - (CAMPAIGNS - window) * WINDOW)
        lead(made, application, clock, window, deliveries // 2 if window == CAMPAIGNS - 1 else size)
    rebuild.rebuild(made.pool)
    settle(made)
    return token


def add_people(made: Installation, people: int) -> None:
    with made.pool.transaction() as cursor:
        cursor.execute(PEOPLE, {"people": people})
        cursor.execute(
            "INSERT INTO lists (name, optin) SELECT 'List ' || n, CASE WHEN n = 3 THEN 'double' ELSE 'single'"
            " END FROM generate_series(1, %s) n",
            (LISTS,),
        )
        cursor.execute(SUBSCRIPTIONS, {"people": people, "lists": LISTS})
        number = imports.begin(cursor, by="admin", file="people.csv", size=1, lists=[1], status="confirmed")
        imports.end(cursor, number, error="the connection was lost")


def add_templates(made: Installation, application: Postledger) -> None:
    for name in ("Plain", "With a picture", "Minutes"):
        with made.pool.transaction() as cursor:
            number = next_template(cursor)
            body = content.keep(cursor, f"<!doctype html><h1>{name}</h1>{{{{ content }}}}")
        application.create_template({"name": name, "body": body}, number=number, by="admin")


def add_accounts(made: Installation, clock: VirtualClock, now: datetime) -> str:
    commands = Accounts(Opened.over(made.pool, clock))
    number = commands.add_user("admin", "admin", PASSWORD, by="cli")
    for one in range(1, 6):
        commands.add_user(f"operator{one}", "operator", PASSWORD, by="admin")
        commands.create_key(f"program{one}", ["read", "write"], None, by="admin")
    with made.pool.transaction() as cursor:
        return sessions.begin(cursor, number, now, address="127.0.0.1", browser="Benchmark")


def lead(made: Installation, application: Postledger, clock: VirtualClock, window: int, size: int) -> None:
    """One campaign's life; what servers reserve goes on without one, too."""
    state = STATES[(window + 1) % 10] if (window + 1) % 10 < len(STATES) else "finished"
    campaign = write_campaign(made, application, window)
    begin, is_begun = clock.now(), state not in ("draft", "scheduled")
    if state == "scheduled":
        application.schedule(campaign, datetime.now(UTC) + timedelta(days=1 + window / 10), by="admin")
    if is_begun:
        application.start(campaign, by="admin")
    size = size if is_begun else 0
    tell(
        made,
        campaign=campaign,
        window=window,
        begin=begin,
        size=size,
        begun=size if state == "finished" else size * 3 // 5,
        over=state == "finished",
    )
    clock.advance_to(begin + WINDOW - timedelta(seconds=1))
    if is_begun:
        application.finish_queueing(campaign, size, by="processor:1")
    if state == "paused":
        application.pause(campaign, reason="a wrong link", by="operator1")
    elif state == "cancelled":
        application.cancel(campaign, reason="the meeting is off", by="operator1")
    elif state == "finished":
        application.finish(campaign, by="processor:1")


def write_campaign(made: Installation, application: Postledger, window: int) -> int:
    with made.pool.transaction() as cursor:
        number = next_campaign(cursor)
        text, html = content.keep(cursor, TEXT), content.keep(cursor, HTML)
    application.create_campaign(
        number=number,
        name=f"Letter {window + 1}",
        subject="Books for {{ subscriber.first_name }}",
        text=text,
        html=html,
        lists=[1] if number % 2 else [1, 2, 3 + window % (LISTS - 2)],
        by="admin",
    )
    return number


def tell(made: Installation, **about: Any) -> None:
    with made.pool.transaction() as cursor:
        cursor.execute("SELECT position FROM log_head FOR UPDATE")
        head = cursor.fetchone()
        assert head is not None
        cursor.execute(
            WHAT_HAPPENED,
            {
                **about,
                "audience": str(audience_stream(about["campaign"])),
                "again": datetime.now(UTC) + timedelta(hours=2),
                "head": head[0],
                "slots": SLOTS,
                "servers": SERVERS,
            },
        )
        cursor.execute(
            "UPDATE log_head SET (position, recorded_at) ="
            " (SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1)"
        )


def settle(made: Installation) -> None:
    """What autovacuum has long done after a month."""
    connection = made.pool.open()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    connection.close()
