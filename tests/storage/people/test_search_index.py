"""The index of searches, where PostgreSQL lets it be made and where it does not."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection

from storage.migrate import migrate
from storage.people import directory, paging, search_index
from storage.people.finding import WantedPeople


@pytest.fixture
def forbidden(empty_database_url: str) -> Iterator[connection]:
    """A connection to a database in which nobody may make an extension."""
    opened = psycopg2.connect(empty_database_url)
    opened.autocommit = True
    with opened.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION public.no_extension() RETURNS event_trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'not here' USING ERRCODE = 'insufficient_privilege'; END $$;
            CREATE EVENT TRIGGER no_extension ON ddl_command_start WHEN TAG IN ('CREATE EXTENSION')
                EXECUTE FUNCTION public.no_extension()
            """
        )
    yield opened
    opened.close()


def is_found(cursor: object) -> bool:
    return bool(paging.page(cursor, WantedPeople(search="da@exam"), None, 10).people)


def test_where_it_may_not_be_made_the_rest_works_and_a_warning_says_so(
    empty_database_url: str, forbidden: connection
) -> None:
    applied = migrate(empty_database_url)
    assert "pg_trgm" in applied.warnings[-1]
    with forbidden.cursor() as cursor:
        assert not search_index.is_there(cursor)
        directory.add_recipient(cursor, "ada@example.org")
        assert is_found(cursor)


def test_it_is_made_by_the_first_migration_that_may(empty_database_url: str, forbidden: connection) -> None:
    migrate(empty_database_url)
    with forbidden.cursor() as cursor:
        cursor.execute("DROP EVENT TRIGGER no_extension; CREATE SCHEMA elsewhere")
        cursor.execute("CREATE EXTENSION pg_trgm SCHEMA elsewhere")
    again = migrate(empty_database_url)
    assert (list(again), again.warnings) == ([], [])
    with forbidden.cursor() as cursor:
        assert search_index.is_there(cursor)
        directory.add_recipient(cursor, "ada@example.org")
        assert is_found(cursor)


def test_an_extension_that_is_not_installed_is_no_reason_to_fail(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "EXTENSION", "pg_nowhere_installed")
    applied = migrate(empty_database_url)
    assert applied
    assert "pg_nowhere_installed" in applied.warnings[-1]


def test_it_serves_searches_in_addresses_and_in_names(admin: connection) -> None:
    with admin.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + paging.LIKE, {"like": "%abc12%", "limit": 10})
        assert str(cursor.fetchall()).count(search_index.NAME) == 2
