"""What everybody works with: the log, what decides, the projections, the directory, the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from psycopg2.extensions import cursor

from application.decisions.postledger import Postledger
from application.forecasts.audiences import Audiences
from domain.clock import Clock
from domain.errors import Refused
from projections.following.runner import Runner
from projections.following.schema import log_head
from storage.log.append import Log
from storage.log.factory import LogFactory
from storage.postgres.pool import Pool
from storage.secrets import Secrets
from storage.shared_clock import set_by_database

PATIENCE = 10.0


class Behind(Exception):
    """What was asked for is on record, and the projections do not show it yet."""


class Unequipped(Refused):
    """This process lacks what that takes, a key for passwords say."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """`secrets` is None where no key is configured: then no password can be kept or read. `public_url` is
    where people reach us, usually through a reverse proxy, "" where nobody has said. `patience` is how many
    seconds to wait for the projections. `audiences` are remembered for as long as the process lives."""

    pool: Pool
    application: Postledger
    clock: Clock
    runner: Runner
    log: Log
    secrets: Secrets | None = None
    public_url: str = ""
    patience: float = PATIENCE
    audiences: Audiences = field(default_factory=Audiences)

    @classmethod
    def over(cls, pool: Pool, clock: Clock, **more: Any) -> Self:
        """Of the database that `pool` leads to; `more` are the fields that do not follow from it."""
        log = Log(pool, clock)
        application = Postledger(factory=LogFactory(pool=pool, log=log, clock=clock), clock=clock)
        return cls(pool=pool, application=application, clock=clock, runner=Runner(pool), log=log, **more)

    @property
    def public_address(self) -> str:
        """Where unsubscribe links lead."""
        return self.application.policy().public_address or self.public_url

    def opened_secrets(self) -> Secrets:
        """Raises Unequipped."""
        if self.secrets is None:
            raise Unequipped("Passwords cannot be kept here: no key is configured.")
        return self.secrets

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
            self.runner.catch_up_to(position, self.patience)
        except TimeoutError:
            raise Behind("the projections are behind the log right now") from None

    def catch_up(self) -> None:
        """Until the projections show all that is in the log now. Raises Behind."""
        with self.reading() as opened:
            head = log_head(opened)
        self.wait_until_shown(head)
