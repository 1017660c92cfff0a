"""The service's login cannot do more than the service: whoever has stolen it, or makes the service say SQL of
theirs, adds to the log like the service and can neither change it nor put another in its place."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg2
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg2.extensions import connection

from postledger.config import load
from postledger.session import Database, open_session, prepare
from projections.following.rebuild import rebuild
from storage.log.append import Log
from storage.log.verify import verify
from storage.migrate import NotTheOwner, migrate
from storage.postgres.embedded import EmbeddedServer
from storage.postgres.pool import Pool
from storage.postgres.service_login import make, may_log_in, service_url
from tests.cli.command_line import Cli
from tests.conftest import Databases
from tests.installation import Running

pytestmark = pytest.mark.starts_processes

REFUSED = (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.WrongObjectType)

DEEDS = [
    "SET ROLE postledger",
    "SET SESSION AUTHORIZATION postledger",
    "SET session_replication_role = replica",
    "ALTER ROLE postledger_service SUPERUSER",
    "ALTER ROLE postledger_service CREATEROLE",
    "ALTER ROLE postledger PASSWORD 'mine'",
    "CREATE ROLE mallory",
    "GRANT postledger TO postledger_service",
    "GRANT pg_execute_server_program TO postledger_service",
    "CREATE DATABASE mine",
    "ALTER SYSTEM SET fsync = off",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/postledger-was-here'",
    "COPY pg_temp.t FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/postledger-was-here')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postledger'",
    "SELECT pg_reload_conf()",
    "UPDATE public.events SET topic = 'other'",
    "DELETE FROM public.events",
    "TRUNCATE public.events",
    "INSERT INTO public.events SELECT * FROM public.events ON CONFLICT (position) DO UPDATE SET topic = 'x'",
    "UPDATE public.content SET body = 'other'",
    "DELETE FROM public.log_head",
    "ALTER TABLE public.events DISABLE TRIGGER ALL",
    "ALTER TABLE public.events RENAME TO old_events",
    "ALTER TABLE public.events SET SCHEMA projection",
    "ALTER TABLE public.events ADD COLUMN more text",
    "ALTER TABLE public.events OWNER TO postledger_service",
    "DROP TABLE public.events",
    "DROP SCHEMA public CASCADE",
    "DROP FUNCTION public.refuse_change_of_history() CASCADE",
    "CREATE OR REPLACE FUNCTION public.refuse_change_of_history() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER mine BEFORE INSERT ON public.events FOR EACH ROW"
    " EXECUTE FUNCTION public.refuse_change_of_history()",
    "CREATE RULE mine AS ON INSERT TO public.events DO INSTEAD NOTHING",
    "CREATE POLICY mine ON public.events USING (false)",
    "CREATE INDEX ON public.events (topic)",
    "CREATE TABLE public.mine ()",
    "CREATE TABLE mine ()",
    "CREATE VIEW public.mine AS SELECT 1",
    "CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
    "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = texteq)",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION dblink",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION public.refuse_change_of_history()",
    "CREATE FUNCTION projection.mine() RETURNS int LANGUAGE c AS '/tmp/mine.so'",
    "CREATE PUBLICATION mine FOR ALL TABLES",
    "CREATE SUBSCRIPTION mine CONNECTION '' PUBLICATION mine",
    "SELECT * FROM pg_authid",
    "UPDATE public.schema_migrations SET checksum = ''",
    "UPDATE pg_catalog.pg_class SET relowner = 0",
]


@contextmanager
def as_service(url: str) -> Iterator[connection]:
    with closing(psycopg2.connect(service_url(url))) as opened:
        yield opened


@pytest.fixture
def intruder(database_url: str) -> Iterator[connection]:
    """Who has got hold of the service's login."""
    with as_service(database_url) as opened:
        yield opened


@pytest.fixture
def written(pool: Pool) -> int:
    log = Log(pool)
    return log.append([StoredEvent(UUID(int=1), version, "happened", b"{}") for version in range(1, 8)])[-1]


@pytest.mark.parametrize("deed", DEEDS)
def test_the_login_is_refused_what_the_service_never_does(intruder: connection, deed: str) -> None:
    intruder.autocommit = True
    with intruder.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE t (line text)")
        with pytest.raises(psycopg2.Error) as refusal:
            cursor.execute(deed)
    message = str(refusal.value)
    assert isinstance(refusal.value, REFUSED) or "permission denied" in message, message
    assert not Path("/tmp/postledger-was-here").exists()


@pytest.mark.parametrize("putting_off", ["RESET ROLE", "SET ROLE NONE", "RESET SESSION AUTHORIZATION"])
def test_nothing_is_gained_by_putting_off_a_role(pool: Pool, putting_off: str) -> None:
    with pool.transaction() as cursor:
        cursor.execute(putting_off)
        cursor.execute("SELECT current_user, session_user")
        assert cursor.fetchone() == ("postledger_service", "postledger_service")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("COPY (SELECT 1) TO PROGRAM 'true'")


@pytest.mark.parametrize("kind", ["TABLE projection.", "TEMPORARY TABLE ", "TABLE projection_beside."])
def test_another_table_of_the_logs_name_is_never_taken_for_the_log(
    intruder: connection, pool: Pool, written: int, kind: str
) -> None:
    with intruder, intruder.cursor() as cursor:
        for name in ("events", "log_head", "recipients", "users"):
            cursor.execute(f"CREATE {kind}{name} AS SELECT * FROM public.{name} LIMIT 1")
    verdict = verify(pool)
    assert (verdict.broken, verdict.events, verdict.head) == (None, written, written)
    assert rebuild(pool) == written
    with pool.transaction() as cursor:
        for name in ("events", "log_head", "recipients", "users"):
            cursor.execute("SELECT %s::regclass = %s::regclass", (name, f"public.{name}"))
            assert cursor.fetchone() == (True,), name


def test_a_temporary_table_on_a_pooled_connection_shadows_nothing(pool: Pool, written: int) -> None:
    """SQL slipped in through one request, on the connection that the next one gets."""
    pool.size = 1
    with pool.transaction() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE events AS SELECT * FROM public.events LIMIT 1")
        cursor.execute("CREATE TEMPORARY TABLE log_head AS SELECT * FROM public.log_head")
    assert verify(pool).events == written
    assert Log(pool).append([StoredEvent(UUID(int=2), 1, "happened", b"{}")]) == [written + 1]


def test_log_verify_does_not_even_go_by_the_search_path(pool: Pool, written: int) -> None:
    pool.size = 1
    with pool.transaction() as cursor:
        cursor.execute("CREATE TABLE projection.events AS SELECT * FROM public.events LIMIT 3")
        cursor.execute(
            "CREATE TABLE projection.log_head AS SELECT 3 AS position, hash FROM projection.events"
        )
        cursor.execute("SET search_path = projection, public")
    assert verify(pool).events == written


def test_settings_that_the_login_gives_itself_are_gone_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "postgresql"
    with (
        EmbeddedServer(folder, fsync=False) as server,
        as_service(server.url) as intruder,
        intruder,
        intruder.cursor() as cursor,
    ):
        cursor.execute("ALTER ROLE postledger_service SET statement_timeout = 1")
        cursor.execute("ALTER ROLE postledger_service PASSWORD 'mine'")
    with (
        EmbeddedServer(folder, fsync=False) as server,
        as_service(server.url) as login,
        login.cursor() as cursor,
    ):
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_an_own_database_of_an_earlier_release_is_served_by_the_new_login(tmp_path: Path) -> None:
    """The role was one to put on then, not to log in with, and knew nothing of the owner's schema."""
    folder = tmp_path / "var" / "postgresql"
    with EmbeddedServer(folder, fsync=False) as server:
        prepare(Database.of(server))
        with closing(psycopg2.connect(server.url)) as owner, owner, owner.cursor() as cursor:
            cursor.execute("ALTER ROLE postledger_service NOLOGIN PASSWORD NULL")
            cursor.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
            cursor.execute("DROP FUNCTION refresh_directory_statistics")
            cursor.execute("DELETE FROM schema_migrations WHERE name LIKE '0014%'")
    with Running(tmp_path, "serve") as it:
        it.wait_until_ready()
        url = (folder / "url").read_text().strip()
        with closing(psycopg2.connect(url)) as owner, owner.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT usename::text FROM pg_stat_activity"
                " WHERE application_name LIKE 'postledger%' AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchall() == [("postledger_service",)]
            cursor.execute("SELECT has_schema_privilege('postledger_service', 'public', 'CREATE')")
            assert cursor.fetchone() == (False,)


def test_of_many_that_make_the_login_at_the_same_time_none_fails(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        for _ in range(10):
            with psycopg2.connect(server.url) as owner, owner.cursor() as cursor:
                cursor.execute("DROP OWNED BY postledger_service; DROP ROLE postledger_service")
            owner.close()
            with ThreadPoolExecutor(8) as together:
                list(together.map(make, [server.url] * 8))
            assert may_log_in(server.url)


def test_only_who_starts_it_can_read_how_the_owner_connects(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "postgresql", fsync=False) as server:
        assert (tmp_path / "postgresql" / "url").stat().st_mode & 0o077 == 0
        owner, service = server.url, server.service_url
        assert owner.split(":")[2] not in service, (
            "the owner's password follows from nothing that the service has"
        )


def test_children_of_serve_are_not_told_the_owners_login() -> None:
    from postledger.serving.serve import environment

    given = {"database_url": "postgresql://s:1@h/d", "owner_database_url": "postgresql://o:2@h/d"}
    told = environment(load(given, {}, Path()), "postgresql://s:1@h/d")
    assert not any("postgresql://o" in value for value in told.values())


def test_the_services_url_alone_serves_a_database_that_is_up_to_date(database_url: str) -> None:
    url = service_url(database_url)
    assert prepare(Database(url, url)) == []
    with open_session(load({"database_url": url}, {}, Path())) as session:
        assert session.runner.catch_up() == 0


def test_the_services_url_alone_cannot_migrate_and_says_what_is_missing(database_url: str) -> None:
    with closing(psycopg2.connect(database_url)) as owner, owner, owner.cursor() as cursor:
        cursor.execute("DELETE FROM schema_migrations WHERE name LIKE '0014%%'")
    with pytest.raises(NotTheOwner, match="owner_database_url"):
        migrate(service_url(database_url))


def test_doctor_tells_of_a_login_that_may_do_more(database_url: str, tmp_path: Path) -> None:
    alone = Cli(tmp_path, {"POSTLEDGER_DATABASE_URL": database_url})
    state, finding, remedy = _login_check(alone)
    assert state == "warn"
    assert "superuser" in finding
    assert "owner_database_url" in remedy
    own = Cli(tmp_path, {"POSTLEDGER_DATABASE_URL": service_url(database_url)})
    assert _login_check(own)[0] == "ok"


def _login_check(cli: Cli) -> tuple[str, str, str]:
    (found,) = [one for one in cli.json("doctor") if one["name"] == "service's login"]
    return found["state"], found["finding"], found["remedy"]


def test_on_a_server_of_others_owner_and_service_have_logins_that_are_not_superusers(
    databases: Databases,
) -> None:
    """As docs/guide.md says."""
    url, owner = databases.create(migrated=False), f"owner_{uuid4().hex}"
    parts = urlsplit(url)
    try:
        with closing(psycopg2.connect(url)) as superuser, superuser, superuser.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'secret'")
            cursor.execute(f"GRANT postledger_service TO {owner}")
            cursor.execute(f'ALTER DATABASE "{parts.path[1:]}" OWNER TO {owner}')
        owner_url = parts._replace(netloc=f"{owner}:secret@{parts.hostname}:{parts.port}").geturl()
        assert prepare(Database(service_url(url), owner_url)).warnings == []
        with open_session(load({"database_url": service_url(url)}, {}, Path())) as session:
            session.log.append([StoredEvent(UUID(int=1), 1, "happened", b"{}")])
            assert session.runner.catch_up() == 1
            assert rebuild(session.pool) == 1
    finally:
        databases.drop(url)
        with closing(psycopg2.connect(databases.url)) as superuser, superuser, superuser.cursor() as cursor:
            cursor.execute(f"DROP ROLE {owner}")
