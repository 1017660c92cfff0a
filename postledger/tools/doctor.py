"""Looks at everything that sending needs. Changes nothing."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import psycopg2

from domain.clock import SystemClock
from postledger.config import Config, without_password
from postledger.session import open_database
from postledger.tools.check import Check, Patient
from postledger.tools.database_checks import append_only, durability, servers_log, service_login
from postledger.tools.sending_checks import sending_processors, smtp_servers
from postledger.tools.web_checks import provider_of_sign_in, public_address
from projections.following import schema
from storage import processors
from storage.migrate import MigrationError, pending
from storage.postgres.embedded import EmbeddedServerError
from storage.postgres.pool import Pool
from storage.secrets import KEY_FILE_NAME, Secrets, SecretsError, load_keys
from storage.shared_clock import set_by_database

OLDEST_POSTGRESQL = 140000
CLOCK_WARNS = 2.0  # seconds apart
LAG_WARNS = 100_000  # events
DISK_WARNS, DISK_FAILS = 2_000_000_000, 200_000_000  # bytes free


def examine(config: Config) -> list[Check]:
    """Never raises for what it finds. Starts the database of our own for the time, like every command."""
    checks = [*provider_of_sign_in(config), _disk(config)]
    try:
        with open_database(config) as database:
            checks.append(_database(database.url))
            if checks[-1].state != "fail":
                checks += _examine_database(config, database.url)
    except (EmbeddedServerError, psycopg2.OperationalError) as error:
        checks.append(_unreachable(config, error))
    return checks


def _examine_database(config: Config, url: str) -> list[Check]:
    migrations = _migrations(url)
    if migrations.state == "fail":
        return [migrations]
    pool = Pool(url, size=2)
    try:
        patient = Patient(config, url, pool)
        return [
            migrations,
            *(check for examination in _EXAMINATIONS for check in _carried_out(examination, patient)),
        ]
    finally:
        pool.close()


def _carried_out(examination: Callable[[Patient], Iterator[Check]], patient: Patient) -> list[Check]:
    try:
        return list(examination(patient))
    except psycopg2.Error as error:
        name = examination.__name__.strip("_")
        return [Check(name, "fail", f"the database answers with SQLSTATE {error.pgcode}", "See its log.")]


def _database(url: str) -> Check:
    try:
        connection = psycopg2.connect(url, connect_timeout=10)
    except psycopg2.OperationalError as error:
        finding = f"cannot be reached: {str(error).strip() or type(error).__name__}"
        return Check("database", "fail", finding, _CONNECT_REMEDY)
    version = connection.server_version
    connection.close()
    name = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version < OLDEST_POSTGRESQL:
        return Check(
            "database",
            "warn",
            name,
            f"Postledger is made for {OLDEST_POSTGRESQL // 10000} and later: upgrade.",
        )
    return Check("database", "ok", f"{name}, {without_password(url)}")


_CONNECT_REMEDY = (
    "Check the database URL (`postledger config show`), that the server runs and lets this machine in."
    " Without a URL Postledger starts a PostgreSQL of its own."
)


def _unreachable(config: Config, error: Exception) -> Check:
    remedy = _CONNECT_REMEDY if config.database_url else "See server.log in the data folder."
    return Check("database", "fail", str(error).strip(), remedy)


def _migrations(url: str) -> Check:
    try:
        names = pending(url)
    except MigrationError as error:
        return Check("migrations", "fail", str(error), "Run the release that this database belongs to.")
    if names:
        return Check("migrations", "fail", f"pending: {', '.join(names)}", "Run `postledger migrate`.")
    return Check("migrations", "ok", "all applied")


def _clock(patient: Patient) -> Iterator[Check]:
    """Sending goes by the database's clock; this machine's is for its own log and for certificates."""
    clock = SystemClock()
    with patient.pool.transaction() as cursor:
        ours = clock.seconds()
        set_by_database(clock, cursor)
        doubting = processors.doubting(cursor, processors.database_time(cursor), processors.PATIENCE)
    finding = f"{(apart := abs(clock.seconds() - ours)):.1f} s apart from the database's, by which e-mails go"
    if doubting:
        finding = f"processors that do not know the time: {', '.join(map(str, doubting))}"
        yield Check("clock", "fail", finding, _SLOW_REMEDY)
    elif not clock.is_trusted():
        yield Check("clock", "fail", "the database takes too long to tell the time", _SLOW_REMEDY)
    elif apart < CLOCK_WARNS:
        yield Check("clock", "ok", finding)
    else:
        yield Check("clock", "warn", finding, "Keep both in time with NTP (chrony, systemd-timesyncd).")


_SLOW_REMEDY = "Nothing is sent before that: bring both closer together, or make the database faster."


def _key(patient: Patient) -> Iterator[Check]:
    config = patient.config
    with patient.pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM public.server_secrets")
        stored = _row(cursor)[0]
        own_file = config.data_folder / KEY_FILE_NAME
        if config.key is None and config.key_file is None and not own_file.exists():
            if stored:
                yield Check(
                    "key", "fail", f"{stored} passwords are stored and there is no key for them", _KEY_REMEDY
                )
            else:
                yield Check("key", "ok", f"none yet; {own_file} is made when one is needed")
            return
        try:
            secrets = Secrets(load_keys(config.key, config.key_file, config.data_folder))
            unreadable = secrets.unreadable(cursor)
        except SecretsError as error:
            yield Check("key", "fail", str(error), _KEY_REMEDY)
            return
    if unreadable:
        numbers = ", ".join(map(str, unreadable))
        yield Check("key", "fail", f"opens the passwords of all servers but {numbers}", _KEY_REMEDY)
    else:
        yield Check("key", "ok", f"opens all {stored} stored passwords")
    yield from _key_file(None if config.key else config.key_file or own_file)


_KEY_REMEDY = (
    "Set POSTLEDGER_KEY or POSTLEDGER_KEY_FILE to the key that they were stored with, on every machine, or"
    " store the passwords anew: `postledger server edit NAME --password`."
)


def _key_file(path: Path | None) -> Iterator[Check]:
    if path is not None and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Check("key file", "warn", f"others on this machine may read {path}", f"chmod 600 {path}")


def _projections(patient: Patient) -> Iterator[Check]:
    with patient.pool.transaction() as cursor:
        cursor.execute("SELECT to_regclass('projection.projection_positions') IS NOT NULL")
        if not _row(cursor)[0]:
            yield Check("projections", "fail", "their tables are not there", "Run `postledger migrate`.")
            return
        head = schema.log_head(cursor)
        behind = head - min(schema.positions(cursor).values(), default=head)
        outdated = schema.outdated(cursor)
    if outdated:
        yield Check(
            "projections", "fail", f"made by an earlier release: {', '.join(outdated)}",
            "Run `postledger projections rebuild`.",
        )  # fmt: skip
    elif behind > LAG_WARNS:
        yield Check(
            "projections", "warn", f"{behind} events behind", "Let a processor run; it catches up by itself."
        )
    else:
        yield Check("projections", "ok", f"{behind} events behind")


def _row(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] = cursor.fetchone()
    return row


def _disk(config: Config) -> Check:
    folder = config.data_folder.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    finding = f"{free / 1e9:.1f} GB free at {folder}"
    if free < DISK_WARNS:
        state: Literal["warn", "fail"] = "warn" if free >= DISK_FAILS else "fail"
        return Check("disk", state, finding, "A full disk stops the log, and so all sending: make room.")
    return Check("disk", "ok", finding)


_EXAMINATIONS: tuple[Callable[[Patient], Iterator[Check]], ...] = (
    append_only, service_login, servers_log, durability, _clock, _key, _projections, sending_processors,
    public_address, smtp_servers,
)  # fmt: skip
