"""What everybody works with: the log, what decides, the projections, the directory, the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2.extensions import cursor

from application.decisions import Postledger
from domain.clock import Clock
from domain.errors import Refused
from projections.following.runner import Runner
from projections.following.schema import log_head
from storage.log import LogFactory
from storage.log.append import Log
from storage.postgres.pool import Pool
from storage.secrets import Secrets
from storage.shared_clock import set_by_database

PATIENCE = 10.0
"""Seconds to wait for the projections, so that an answer shows what was done."""


class Behind(Exception):
    """What was asked for is on record, and the projections do not show it yet."""


class Unequipped(Refused):
    """This process lacks what that takes, a key for passwords say."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """`secrets` is None where no key is configured: then no password can be kept or read. `public_url` is
    where unsubscribe links lead unless the policy says otherwise."""

    pool: Pool
    application: Postledger
    clock: Clock
    runner: Runner
    log: Log
    secrets: Secrets | None = None
    public_url: str = ""

    @contextmanager
    def reading(self) -> Iterator[cursor]:
        """A cursor to read with. Each statement is a transaction of its own, which saves a request two round
        trips and gives up nothing: statements of one transaction would not see the same moment either. The
        clock is set on the way when that was long ago."""
        with self.pool.connection() as taken:
            taken.autocommit = True
            with taken.cursor() as opened:
                if not self.clock.is_trusted():
                    set_by_database(self.clock, opened)
                yield opened

    def wait_until_shown(self, position: int | None) -> None:
        """Until the projections show the log as far as `position`. Raises Behind when that takes long."""
        if position is None:
            return
        try:
            self.runner.catch_up_to(position, PATIENCE)
        except TimeoutError:
            raise Behind("the projections are behind the log right now") from None

    @classmethod
    def over(
        cls, pool: Pool, clock: Clock, *, secrets: Secrets | None = None, public_url: str = ""
    ) -> Installation:
        """Of the database that `pool` leads to."""
        log = Log(pool, clock)
        return Installation(
            pool=pool,
            application=Postledger(factory=LogFactory(pool=pool, log=log, clock=clock), clock=clock),
            clock=clock,
            runner=Runner(pool),
            log=log,
            secrets=secrets,
            public_url=public_url,
        )

    def catch_up(self) -> None:
        """Until the projections show all that is in the log now. Raises Behind."""
        with self.reading() as opened:
            head = log_head(opened)
        self.wait_until_shown(head)
