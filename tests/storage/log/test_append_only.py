"""History is never changed: by nobody through the trigger, and not even tried by the service's role."""

from __future__ import annotations

from uuid import UUID

import psycopg2
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg2.extensions import connection

from storage.log.append import Log
from storage.postgres.pool import Pool

CHANGES = ["UPDATE {} SET hash = hash", "DELETE FROM {}", "TRUNCATE {}"]


@pytest.fixture(autouse=True)
def _one_of_each(pool: Pool) -> None:
    Log(pool).append([StoredEvent(UUID(int=1), 1, "happened", b"{}")])
    with pool.transaction() as cur:
        cur.execute("INSERT INTO content (hash, body) VALUES (sha256('text'), 'text')")


@pytest.mark.parametrize("table", ["events", "content"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_trigger_stops_even_the_superuser(admin: connection, table: str, change: str) -> None:
    with (
        admin.cursor() as cur,
        pytest.raises(psycopg2.errors.InsufficientPrivilege, match="history is never changed"),
    ):
        cur.execute(change.format(table))


@pytest.mark.parametrize("table", ["events", "content"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_service_has_no_right_to_it_without_the_trigger(
    pool: Pool, admin: connection, table: str, change: str
) -> None:
    with admin.cursor() as cur:
        cur.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    with (
        pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"),
        pool.transaction() as cur,
    ):
        cur.execute(change.format(table))


@pytest.mark.parametrize(
    "deed", ["ALTER TABLE events DISABLE TRIGGER ALL", "DROP TABLE events", "DELETE FROM log_head"]
)
def test_the_service_cannot_take_the_protection_away(pool: Pool, deed: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), pool.transaction() as cur:
        cur.execute(deed)


def test_the_service_may_use_what_is_no_history(pool: Pool) -> None:
    with pool.transaction() as cur:
        cur.execute("SELECT current_user")
        assert cur.fetchone() == ("postledger_service",)
        for table in ("recipients", "lists", "subscriptions", "server_secrets", "processors", "tracking"):
            cur.execute(f"DELETE FROM {table}")
        cur.execute("SELECT nextval('campaign_numbers')")
        cur.execute("SELECT state FROM event_log")
        assert cur.fetchall() == [({},)]
        cur.execute("CREATE TABLE projection.made_by_a_projection ()")
        cur.execute("SELECT 'projection.made_by_a_projection'::regclass IS NOT NULL")
        assert cur.fetchone() == (True,)
