from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import connection

from storage.migrate import EditedMigration, NewerDatabase, migrate, pending
from storage.postgres.pool import Pool


def ask(url: str, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    opened = psycopg2.connect(url)
    try:
        with opened, opened.cursor() as cur:
            cur.execute(statement, parameters)
            return cur.fetchall() if cur.description else []
    finally:
        opened.close()


def test_an_empty_database_gets_everything_and_a_second_time_nothing(empty_database_url: str) -> None:
    expected = pending(empty_database_url)
    assert "0001_log.sql" in expected

    assert migrate(empty_database_url) == expected
    assert pending(empty_database_url) == []
    assert migrate(empty_database_url) == []
    remembered = ask(empty_database_url, "SELECT name FROM schema_migrations ORDER BY name")
    assert [name for (name,) in remembered] == expected


def test_two_migrators_at_once_apply_each_step_once(empty_database_url: str) -> None:
    expected = pending(empty_database_url)
    with ThreadPoolExecutor(4) as migrators:
        applied = list(migrators.map(migrate, [empty_database_url] * 4))

    assert [name for names in applied for name in names] == expected


def test_a_file_that_was_edited_after_it_had_been_applied_is_refused(database_url: str) -> None:
    ask(database_url, "UPDATE schema_migrations SET checksum = 'other' WHERE name = '0002_directory.sql'")
    for run in (migrate, pending):
        with pytest.raises(EditedMigration, match=r"0002_directory\.sql"):
            run(database_url)


def test_a_database_newer_than_the_program_is_refused(database_url: str) -> None:
    ask(database_url, "INSERT INTO schema_migrations (name, checksum) VALUES ('9999_future.sql', '')")
    for run in (migrate, pending):
        with pytest.raises(NewerDatabase, match=r"9999_future\.sql"):
            run(database_url)


def test_a_step_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    ask(empty_database_url, "CREATE TABLE content ()")
    with pytest.raises(psycopg2.errors.DuplicateTable):
        migrate(empty_database_url)

    assert pending(empty_database_url)[0] == "0003_content_and_secrets.sql"
    assert ask(empty_database_url, "SELECT to_regclass('server_secrets')") == [(None,)]


def test_several_databases_of_one_cluster_can_be_migrated_at_once(
    empty_database_url: str, admin: connection
) -> None:
    parts = urlsplit(empty_database_url)
    urls = [urlunsplit(parts._replace(path=f"/test_{uuid4().hex}")) for _ in range(3)]
    try:
        with admin.cursor() as cur:
            for url in urls:
                cur.execute(f'CREATE DATABASE "{urlsplit(url).path[1:]}" TEMPLATE template0')
        with ThreadPoolExecutor(3) as migrators:
            applied = list(migrators.map(migrate, urls))
        assert all(names and not names.warnings for names in applied)
    finally:
        with admin.cursor() as cur:
            for url in urls:
                cur.execute(f'DROP DATABASE "{urlsplit(url).path[1:]}"')


@pytest.fixture
def owner_url(empty_database_url: str, admin: connection) -> Iterator[str]:
    """The database, owned by somebody who may not make roles, as at most hosting companies."""
    owner = f"owner_{uuid4().hex}"
    database = urlsplit(empty_database_url).path[1:]
    with admin.cursor() as cur:
        cur.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'secret' NOCREATEROLE")
        cur.execute(f'ALTER DATABASE "{database}" OWNER TO {owner}')
    parts = urlsplit(empty_database_url)
    yield urlunsplit(parts._replace(netloc=f"{owner}:secret@{parts.hostname}:{parts.port}"))
    with admin.cursor() as cur:
        cur.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
        cur.execute(f'CREATE DATABASE "{database}"')
        cur.execute(f"DROP ROLE {owner}")


def test_an_owner_who_may_not_have_the_role_is_warned_and_can_work(owner_url: str) -> None:
    applied = migrate(owner_url)

    assert applied
    assert "trigger" in applied.warnings[0]
    pool = Pool(owner_url)
    with pool.transaction() as cur:
        cur.execute("CREATE TABLE projection.made_by_a_projection ()")
        cur.execute("SELECT 'projection.made_by_a_projection'::regclass IS NOT NULL")
        assert cur.fetchone() == (True,)
    with (
        pytest.raises(psycopg2.errors.InsufficientPrivilege, match="history is never changed"),
        pool.transaction() as cur,
    ):
        cur.execute("DELETE FROM events")
    pool.close()


def test_an_owner_who_is_given_the_role_later_hands_the_projections_over(
    owner_url: str, admin: connection
) -> None:
    migrate(owner_url)
    pool = Pool(owner_url)
    with pool.transaction() as cur:
        cur.execute("CREATE TABLE projection.made_by_a_projection ()")
    pool.close()
    with admin.cursor() as cur:
        cur.execute(f"GRANT postledger_service TO {urlsplit(owner_url).username}")

    assert migrate(owner_url).warnings == []
    pool = Pool(owner_url)
    with pool.transaction() as cur:
        cur.execute("SELECT current_user")
        assert cur.fetchone() == ("postledger_service",)
        cur.execute("DROP TABLE projection.made_by_a_projection")
    pool.close()
