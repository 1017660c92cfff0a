"""Brings a database to the shape that this program needs, and gives the service its rights in it.

The steps are the numbered SQL files of `storage/migrations`. Each runs in a transaction of its own and
is remembered with its checksum. After them come the index of searches, and the role of the service and its
grants, every time, since a database can be restored into a cluster that has no such role or extension.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection, cursor

from storage.people import search_index
from storage.postgres.pool import SERVICE_ROLE, open_connection

_ADVISORY_LOCK = 0x706F73746C6564  # "postled"
_LOCK_TIMEOUT = "10s"
_ATTEMPTS_AT_ROLE = 10

_CREATE_MEMORY = """
    CREATE TABLE IF NOT EXISTS public.schema_migrations (
        name       text        PRIMARY KEY,
        checksum   text        NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


class MigrationError(Exception):
    """The database cannot be migrated by this program; the message says why."""


class EditedMigration(MigrationError):
    """A file was changed after it had been applied."""


class NotTheOwner(MigrationError):
    """The database has to be migrated, and whoever has connected may not."""


class NewerDatabase(MigrationError):
    """The database has migrations that this program does not know."""


class Applied(list[str]):
    """The names of the migrations that were applied, what could not be done beside them, and which
    projections were made anew."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []
        self.rebuilt: list[str] = []


def migrate(url: str) -> Applied:
    """Applies what is pending. Safe to repeat, and to run from several programs at once. `url` is of the
    database's owner; for others there is nothing to do while nothing is pending.

    Raises EditedMigration, NewerDatabase, NotTheOwner, and psycopg2.Error when a step fails (its
    transaction is rolled back, the steps before it stay).
    """
    applied = Applied()
    opened = open_connection(url, service=False)
    try:
        if not _may_migrate(opened):
            return applied
        opened.autocommit = True
        _prepare(opened)
        opened.autocommit = False
        for name in _pending(opened):
            _apply(opened, name)
            applied.append(name)
        with opened, opened.cursor() as cur:
            cur.execute("CREATE SCHEMA IF NOT EXISTS projection")
            cur.execute("CREATE SCHEMA IF NOT EXISTS projection_beside")
        applied.warnings += _set_up_beside(opened)
    finally:
        opened.close()
    return applied


def _may_migrate(opened: connection) -> bool:
    with opened, opened.cursor() as cur:
        cur.execute("SELECT has_schema_privilege('public', 'CREATE')")
        may_create = bool(_only_value(cur))
    if not may_create and (names := _pending(opened)):
        raise NotTheOwner(
            f"{opened.info.user} may not change the database, and {', '.join(names)} is pending: give "
            "`postledger migrate` the owner's connection string as owner_database_url"
        )
    return may_create


def _set_up_beside(opened: connection) -> list[str]:
    """The index for searching, and the rights of the service; what could not be done of it."""
    warnings = []
    has_search = search_index.make(opened)
    if _have_service_role(opened):
        _grant(opened)
    else:
        warnings.append(
            f"the role {SERVICE_ROLE} is missing and may not be created or assumed here: the service "
            f"runs as the database's owner, and only the trigger keeps the log from being changed"
        )
    if not has_search:
        warnings.append(
            f"the extension {search_index.EXTENSION} is missing and may not be created here: searching "
            f"for a part of an address or a name looks at a stretch of the directory at a time"
        )
    return warnings


def _prepare(opened: connection) -> None:
    with opened.cursor() as cur:
        cur.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
        cur.execute("SELECT set_config('lock_timeout', %s, false)", (_LOCK_TIMEOUT,))
        cur.execute("SELECT set_config('search_path', 'public, pg_temp', false)")
        cur.execute(_CREATE_MEMORY)


def pending(url: str) -> list[str]:
    """The names of the migrations that `migrate` would apply. Changes nothing.

    Raises EditedMigration, NewerDatabase, psycopg2.OperationalError.
    """
    opened = open_connection(url, service=False)
    try:
        return _pending(opened)
    finally:
        opened.close()


def _shipped() -> dict[str, str]:
    folder = files("storage").joinpath("migrations")
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return {
        entry.name: entry.read_text(encoding="utf-8") for entry in sorted(found, key=lambda entry: entry.name)
    }


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _pending(opened: connection) -> list[str]:
    shipped = _shipped()
    with opened.cursor() as cur:
        cur.execute("SELECT to_regclass('public.schema_migrations') IS NOT NULL")
        remembered: dict[str, str] = {}
        if _only_value(cur):
            cur.execute("SELECT name, checksum FROM public.schema_migrations")
            remembered = dict(cur.fetchall())
    opened.rollback()
    if unknown := sorted(remembered.keys() - shipped.keys()):
        raise NewerDatabase(f"the database is newer than this program, which has no {', '.join(unknown)}")
    for name, checksum in sorted(remembered.items()):
        if checksum != _checksum(shipped[name]):
            raise EditedMigration(
                f"{name} was changed after it had been applied; add a new migration instead"
            )
    return [name for name in shipped if name not in remembered]


def _apply(opened: connection, name: str) -> None:
    text = _shipped()[name]
    with opened, opened.cursor() as cur:
        cur.execute(text)
        cur.execute(
            "INSERT INTO public.schema_migrations (name, checksum) VALUES (%s, %s)", (name, _checksum(text))
        )


def _have_service_role(opened: connection) -> bool:
    """Whether the role exists and may be assumed, after doing what can be done for it. Roles belong to
    the whole cluster, so another database may be migrating into the same ones at this moment."""
    for attempt in range(_ATTEMPTS_AT_ROLE):
        try:
            with opened, opened.cursor() as cur:
                return _make_service_role(cur)
        except psycopg2.errors.InsufficientPrivilege:
            return False
        except psycopg2.Error as error:
            raced = (errorcodes.DUPLICATE_OBJECT, errorcodes.UNIQUE_VIOLATION, errorcodes.INTERNAL_ERROR)
            if error.pgcode not in raced or attempt == _ATTEMPTS_AT_ROLE - 1:
                raise
    raise AssertionError("unreachable")


def _make_service_role(cur: cursor) -> bool:
    cur.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", (SERVICE_ROLE,))
    if not _only_value(cur):
        cur.execute(f"CREATE ROLE {SERVICE_ROLE} NOLOGIN")
    privilege = "SET" if cur.connection.server_version >= 160000 else "MEMBER"
    cur.execute("SELECT pg_has_role(current_user, %s, %s)", (SERVICE_ROLE, privilege))
    if not _only_value(cur):
        cur.execute(f"GRANT {SERVICE_ROLE} TO current_user")
    return True


def _only_value(cur: cursor) -> object:
    row = cur.fetchone()
    assert row is not None
    return row[0]


def _grant(opened: connection) -> None:
    with opened, opened.cursor() as cur:
        cur.execute(_GRANTS)


# What has the trigger of history may be added to, and no more. The head of the log moves; the memory of
# migrations is read; everything else is the service's to use. Projections are its own. Nobody but the owner
# creates anything in `public`, where names are looked up first.
_GRANTS = """
DO $$
DECLARE
    relation record;
    rights   text;
BEGIN
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    REVOKE ALL ON SCHEMA public FROM postledger_service;
    GRANT USAGE ON SCHEMA public TO postledger_service;
    GRANT EXECUTE ON FUNCTION public.refresh_directory_statistics() TO postledger_service;
    FOR relation IN
        SELECT c.oid, c.relname, c.relkind, EXISTS (
            SELECT FROM pg_trigger t
            WHERE t.tgrelid = c.oid AND t.tgfoid = 'public.refuse_change_of_history'::regproc
        ) AS is_history
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP
        rights := CASE
            WHEN relation.relkind = 'S' THEN 'USAGE, SELECT, UPDATE ON SEQUENCE'
            WHEN relation.is_history THEN 'SELECT, INSERT ON TABLE'
            WHEN relation.relname = 'log_head' THEN 'SELECT, UPDATE ON TABLE'
            WHEN relation.relname = 'schema_migrations' OR relation.relkind = 'v' THEN 'SELECT ON TABLE'
            ELSE 'SELECT, INSERT, UPDATE, DELETE ON TABLE'
        END;
        IF relation.relkind <> 'S' THEN
            EXECUTE format('REVOKE ALL ON TABLE public.%I FROM postledger_service', relation.relname);
        END IF;
        EXECUTE format('GRANT %s public.%I TO postledger_service', rights, relation.relname);
    END LOOP;

    ALTER SCHEMA projection OWNER TO postledger_service;
    ALTER SCHEMA projection_beside OWNER TO postledger_service;
    FOR relation IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'projection'::regnamespace AND c.relkind IN ('r', 'p')
          AND c.relowner <> 'postledger_service'::regrole
    LOOP
        EXECUTE format('ALTER TABLE projection.%I OWNER TO postledger_service', relation.relname);
    END LOOP;
END $$
"""
