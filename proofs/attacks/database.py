"""Who has the service's login to the database cannot do more than the service, nor hide anything."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2

from proofs.attacked.house import House
from proofs.finding import Finding

FORBIDDEN = (
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "UPDATE events SET topic = topic WHERE position = 1",
    "DELETE FROM events WHERE position = 1",
    "TRUNCATE events CASCADE",
    "DROP TABLE events CASCADE",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events RENAME TO old_events",
    "SET session_replication_role = replica",
    "SELECT pg_read_file('PG_VERSION')",
    "CREATE ROLE intruder SUPERUSER",
    "CREATE DATABASE intruders",
    "CREATE EXTENSION file_fdw",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER SYSTEM SET log_statement = 'all'",
    "DO $$ BEGIN PERFORM lo_export(lo_creat(-1), '/dev/null'); END $$",
)
OUTSIDE = ("CREATE DATABASE", "ALTER SYSTEM")
"""Not in a transaction."""

WAITING = ("55P03", "57014")
"""For a lock, which only those do who may."""

SHADOWS = (
    "CREATE TABLE projection.events AS SELECT * FROM events LIMIT 100",
    "CREATE TABLE public.events AS SELECT * FROM events LIMIT 100",
    "CREATE VIEW projection.events AS SELECT * FROM events LIMIT 100",
    "CREATE SCHEMA shadow",
)
LOG_COUNT = "SELECT count(*) FROM events"


def attack(house: House) -> Iterator[Finding]:
    allowed = [statement for statement in FORBIDDEN if _is_allowed(house, "", statement)]
    allowed += [f"RESET ROLE; {one}" for one in FORBIDDEN if _is_allowed(house, "RESET ROLE", one)]
    yield Finding("beyond_the_service", len(allowed), "statements allowed", 0, note="; ".join(allowed[:4]))
    shadowed = [statement for statement in SHADOWS if _is_allowed(house, "", statement, lasts=True)]
    before = house.accepted()
    said = house.command("log", "verify", expects=None)
    counted = max((int(word) for word in said.replace(",", "").split() if word.isdigit()), default=0)
    yield Finding(
        "verified_of_the_log", float(counted >= before), "of all events", 1, "at least",
        note=f"{said.strip()[:100]}; {', '.join(shadowed)}",
    )  # fmt: skip


def _is_allowed(house: House, before: str, statement: str, *, lasts: bool = False) -> bool:
    connection = psycopg2.connect(
        house.database_url, options="-c statement_timeout=5000 -c lock_timeout=1000"
    )
    connection.autocommit = statement.startswith(OUTSIDE)
    try:
        with connection.cursor() as cursor:
            if before:
                cursor.execute(before)
            cursor.execute(statement)
        connection.commit() if lasts else connection.rollback()
    except psycopg2.Error as error:
        return error.pgcode in WAITING
    finally:
        connection.close()
    return True
