"""Whether the database keeps the log as it was written, whoever the service's login falls to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from postledger.tools.check import Check, Patient
from storage.postgres.pool import SERVICE_ROLE


def append_only(patient: Patient) -> Iterator[Check]:
    with patient.pool.transaction() as cursor:
        cursor.execute(
            """
            SELECT current_user,
                   EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'public.events'::regclass
                           AND tgfoid = 'public.refuse_change_of_history'::regproc
                           AND tgenabled IN ('O', 'A')),
                   has_table_privilege('public.events', 'UPDATE, DELETE, TRUNCATE'),
                   current_setting('session_replication_role') = 'origin'
            """
        )
        role, has_trigger, may_change, fires = _row(cursor)
    if has_trigger and fires:
        yield Check("append-only trigger", "ok", "in force")
    else:
        yield Check(
            "append-only trigger", "fail", "events can be changed or removed",
            "Find out who did that, run `postledger log verify`, then ALTER TABLE events ENABLE TRIGGER ALL.",
        )  # fmt: skip
    if may_change:
        yield Check(
            "append-only role", "warn", f"the service runs as {role}, who may change the log",
            f"Let the database's owner create and grant the role {SERVICE_ROLE}, then `postledger migrate`.",
        )  # fmt: skip
    else:
        yield Check("append-only role", "ok", f"the service runs as {role}, who can only read and append")


def service_login(patient: Patient) -> Iterator[Check]:
    """Whoever connects, before and after taking on any role, may do what the service does and no more."""
    with patient.pool.transaction() as cursor:
        cursor.execute(_POWERS)
        login, *powers = _row(cursor)
    held = [name for name, holds in zip(_POWER_NAMES, powers, strict=True) if holds]
    if held:
        yield Check(
            "service's login", "warn", f"the service logs in as {login}, who may also {', '.join(held)}",
            "Give database_url a login of its own, as docs/guide.md says, and the owner's as"
            " owner_database_url.",
        )  # fmt: skip
    else:
        yield Check("service's login", "ok", f"{login} can do what the service does and no more")


_POWER_NAMES = (
    "do everything as a superuser",
    "make roles or databases",
    "pass row security or replicate",
    "change the log as its owner",
    "create in the log's schema",
    "create schemas",
    "reach the server's files and programs",
)
_POWERS = """
    SELECT session_user, rolsuper, rolcreaterole OR rolcreatedb, rolbypassrls OR rolreplication,
           pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = 'public.events'::regclass),
                       'MEMBER'),
           has_schema_privilege(session_user, 'public', 'CREATE'),
           has_database_privilege(session_user, current_database(), 'CREATE'),
           EXISTS (SELECT FROM pg_roles AS may
                   WHERE may.rolname IN ('pg_execute_server_program', 'pg_read_server_files',
                                         'pg_write_server_files', 'pg_write_all_data')
                     AND pg_has_role(session_user, may.oid, 'MEMBER'))
    FROM pg_roles WHERE rolname = session_user
"""


def servers_log(patient: Patient) -> Iterator[Check]:
    """What PostgreSQL writes down of statements stays when a person is erased."""
    with patient.pool.transaction() as cursor:
        cursor.execute(
            """
            SELECT name || ' = ' || setting FROM pg_settings
            WHERE (name = 'log_statement' AND setting <> 'none')
               OR (name = 'log_min_error_statement' AND setting NOT IN ('panic', 'fatal'))
               OR (name = 'log_error_verbosity' AND setting <> 'terse')
               OR (name = 'log_min_duration_statement' AND setting <> '-1')
            ORDER BY name
            """
        )
        quoting = [text for (text,) in cursor.fetchall()]
    if quoting:
        yield Check(
            "database's log", "warn", f"quotes statements, and so addresses: {', '.join(quoting)}",
            "Set them as docs/security.md says, or what it quotes outlives the person's erasure.",
        )  # fmt: skip
    else:
        yield Check("database's log", "ok", "quotes no statements")


def durability(patient: Patient) -> Iterator[Check]:
    with patient.pool.transaction() as cursor:
        cursor.execute(
            "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
            " AND setting = 'off' ORDER BY name"
        )
        off = [name for (name,) in cursor.fetchall()]
    if off:
        yield Check(
            "durability", "warn", f"{', '.join(off)} off: a crash can lose attempts that were made",
            "Switch it on in postgresql.conf, or e-mails can be sent twice after a crash.",
        )  # fmt: skip
    else:
        yield Check("durability", "ok", "commits reach the disk before anything is sent")


def _row(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] = cursor.fetchone()
    return row
