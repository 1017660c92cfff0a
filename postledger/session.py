"""What a command works with: the database, the application, the secrets, opened once and closed after.

Without a database URL a PostgreSQL server of one's own runs under the data folder for as long as the
command does; when another process (`postledger serve`, say) already runs it, the command joins that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from application.decisions import Postledger
from application.installation import Installation
from domain.clock import Clock, SystemClock
from postledger.config import Config
from projections.following import schema
from projections.following.rebuild import rebuild
from projections.following.runner import Runner
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


class Session:
    """One process's view of an installation. Get one from `open_session`."""

    def __init__(self, config: Config, url: str, pool: Pool, clock: Clock) -> None:
        self.config = config
        self.url = url
        self.pool = pool
        self.clock = clock

    @cached_property
    def installation(self) -> Installation:
        """Without secrets, so that no key file is made for who needs none; `equipped` has them."""
        return Installation.over(self.pool, self.clock, public_url=self.config.public_url)

    @cached_property
    def equipped(self) -> Installation:
        """Raises SecretsError."""
        return replace(self.installation, secrets=self.secrets)

    @property
    def application(self) -> Postledger:
        return self.installation.application

    @property
    def public_address(self) -> str:
        """Where unsubscribe links lead."""
        return self.application.policy().public_address or self.config.public_url

    @cached_property
    def secrets(self) -> Secrets:
        """Makes the key file when no key is configured and there is none yet. Raises SecretsError."""
        return Secrets(load_keys(self.config.key, self.config.key_file, self.config.data_folder))

    @property
    def runner(self) -> Runner:
        return self.installation.runner

    def catch_up(self) -> None:
        """Brings the projections up to the end of the log, whether or not a processor runs."""
        self.runner.catch_up()


@contextmanager
def open_database(config: Config) -> Iterator[str]:
    """The URL of the configured database, or of our own server, which runs until the end of the block."""
    if config.database_url:
        yield config.database_url
        return
    with EmbeddedServer(own_database_folder(config)) as server:
        yield server.url


def prepare(url: str) -> Applied:
    """Brings a database up to date: migrations, then the projections, those of an earlier release made anew
    from the log (some 100,000 events a second). What was applied. Raises RebuildUnderWay."""
    applied = migrate(url)
    pool = Pool(url, size=REBUILD_CONNECTIONS)
    try:
        schema.create(pool)
        applied.rebuilt = outdated_projections(pool)
        if applied.rebuilt:
            log.info("making projections of an earlier release anew: %s", ", ".join(applied.rebuilt))
            rebuild(pool, applied.rebuilt)
    finally:
        pool.close()
    return applied


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
def open_session(config: Config, *, connections: int = 4, clock: Clock | None = None) -> Iterator[Session]:
    """A database of our own is migrated as a matter of course; one that others look after is not, and
    NotReadyError says so when it has to be. Raises EmbeddedServerError, psycopg2.OperationalError."""
    with ExitStack() as stack:
        url = stack.enter_context(open_database(config))
        if pending(url):
            if config.database_url:
                raise NotReadyError("the database is not up to date: run `postledger migrate` first")
            prepare(url)
        pool = Pool(url, size=connections)
        stack.callback(pool.close)
        clock = clock or SystemClock()
        with pool.transaction() as cursor:
            set_by_database(clock, cursor)
        yield Session(config, url, pool, clock)
