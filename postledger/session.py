"""What a command works with: the database, the application, the secrets, opened once and closed after.

Without a database URL a PostgreSQL server of one's own runs under the data folder for as long as the
command does; when another process (`postledger serve`, say) already runs it, the command joins that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from psycopg2.extensions import make_dsn

from application.installation import Installation
from application.servers import Servers
from domain.clock import Clock, SystemClock
from postledger.config import Config
from projections.following import schema
from projections.following.rebuild import rebuild
from storage.accounts import accounts
from storage.migrate import Applied, migrate, pending
from storage.postgres.embedded import EmbeddedServer
from storage.postgres.pool import Pool
from storage.secrets import Secrets, load_keys
from storage.shared_clock import set_by_database

log = logging.getLogger(__name__)

REBUILD_CONNECTIONS = 4


class NotReadyError(Exception):
    """The database cannot be worked with yet; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Session(Installation):
    """One process's view of an installation, which waits for the projections as long as it takes. `url` is
    what it logs in to the database with. Get one from `open_session`."""

    config: Config
    url: str
    secrets: Secrets

    @classmethod
    def of(cls, config: Config, url: str, pool: Pool, clock: Clock) -> Session:
        secrets = Secrets.found_by(lambda: load_keys(config.key, config.key_file, config.data_folder))
        return cls.over(
            pool, clock, secrets=secrets, public_url=config.public_url, patience=inf, config=config, url=url
        )


@dataclass(frozen=True)
class Database:
    """`url` is what the service logs in with, `owner_url` what the database is migrated with; the same where
    only one was given."""

    url: str = field(repr=False)
    owner_url: str = field(repr=False)

    @classmethod
    def configured(cls, config: Config) -> Database | None:
        """None stands for a server of our own."""
        if not config.database_url:
            return None
        return cls(config.database_url, config.owner_database_url or config.database_url)

    @classmethod
    def of(cls, server: EmbeddedServer) -> Database:
        return cls(server.service_url, server.url)

    def named(self, name: str) -> Database:
        """Another database of the same server."""
        return Database(make_dsn(self.url, dbname=name), make_dsn(self.owner_url, dbname=name))


@contextmanager
def open_database(config: Config) -> Iterator[Database]:
    """The configured database, or that of our own server, which runs until the end of the block."""
    if configured := Database.configured(config):
        yield configured
        return
    with EmbeddedServer(own_database_folder(config)) as server:
        yield Database.of(server)


def prepare(database: Database, config: Config | None = None) -> Applied:
    """Brings a database up to date: migrations, then the projections, those of an earlier release made anew
    from the log (some 100,000 events a second), then the passwords that it kept, with the key of `config`.
    What was applied. Raises MigrationError, RebuildUnderWay."""
    applied = migrate(database.owner_url)
    pool = Pool(database.url, size=REBUILD_CONNECTIONS)
    try:
        schema.create(pool)
        applied.rebuilt = outdated_projections(pool)
        if applied.rebuilt:
            log.info("making projections of an earlier release anew: %s", ", ".join(applied.rebuilt))
            rebuild(pool, applied.rebuilt)
        if config is not None:
            applied.warnings += bind_passwords(Session.of(config, database.url, pool, SystemClock()))
    finally:
        pool.close()
    return applied


def bind_passwords(session: Session) -> list[str]:
    """A warning for each that cannot be bound, and is of no use until then."""
    return [
        f"the password of server {number} is to be given anew: no key opens it"
        for number in Servers(session).bind_kept_passwords()
    ]


def outdated_projections(pool: Pool) -> list[str]:
    with pool.transaction() as cursor:
        return schema.outdated(cursor)


def has_admin(url: str) -> bool:
    """Whether somebody could sign in and give others access."""
    pool = Pool(url, size=1)
    try:
        with pool.transaction() as cursor:
            return accounts.has_admin(cursor)
    finally:
        pool.close()


def own_database_folder(config: Config) -> Path:
    return config.data_folder / "postgresql"


@contextmanager
def open_session(
    config: Config, *, connections: int = 4, clock: Clock | None = None, statement_timeout: float = 0.0
) -> Iterator[Session]:
    """A database of our own is migrated as a matter of course; one that others look after is not, and
    NotReadyError says so when it has to be. `statement_timeout` is as for `open_connection`. Raises
    EmbeddedServerError, psycopg2.OperationalError."""
    with ExitStack() as stack:
        database = stack.enter_context(open_database(config))
        if pending(database.owner_url):
            if config.database_url:
                raise NotReadyError("the database is not up to date: run `postledger migrate` first")
            prepare(database, config)
        pool = Pool(database.url, size=connections, statement_timeout=statement_timeout)
        stack.callback(pool.close)
        clock = clock or SystemClock()
        with pool.transaction() as cursor:
            set_by_database(clock, cursor)
        yield Session.of(config, database.url, pool, clock)
