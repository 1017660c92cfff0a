"""The heartbeat: a processor says that it lives, and hears which others do.

All by the database's clock: the clocks of several hosts may differ.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from domain.failing_jobs import START
from processor.failures import Failures
from storage import processors
from storage.postgres.outage import OUTAGE
from storage.postgres.pool import Pool

log = logging.getLogger(__name__)

BEATS = 6
"""How often a processor says that it lives while others would have patience."""


class Heartbeat:
    """`is_fenced` once others took this processor for dead. `share` is (rank, of) among those alive."""

    def __init__(
        self, pool: Pool, processor: int, patience: timedelta, failures: Failures | None = None
    ) -> None:
        self._pool = pool
        self._processor = processor
        self._failures = failures or Failures()
        self.patience = patience
        self.is_fenced = False
        self.share = (0, 1)
        self._trusts_clock = True
        self._last: datetime | None = None
        self._steady_since: datetime | None = None

    @property
    def seconds(self) -> float:
        return self.patience.total_seconds() / BEATS

    def may_judge(self, now: datetime) -> bool:
        """Whether the silence of others is theirs: while the database was away, or this machine asleep,
        nobody was heard; after the database's clock was set, everybody seems to have been silent for long."""
        if self._last is None or self._steady_since is None or now - self._last > self.patience / 2:
            return False
        return self._last - self._steady_since >= self.patience

    def begins(self) -> None:
        """The processor sends from now on."""
        with self._pool.transaction() as cursor:
            processors.begins(cursor, self._processor, processors.database_time(cursor))
        log.info("processor %d sends", self._processor)

    def could_not_start(self, error: Exception) -> None:
        """Counts until a later processor sends."""
        self.stops(START, error)

    def stops(self, part: str, error: BaseException | None) -> None:
        """The processor cannot go on. On record, since whoever starts it again and again looks at nothing."""
        log.error("processor %d cannot go on: its %s ended on an error", self._processor, part)
        try:
            with self._pool.transaction() as cursor:
                now = processors.database_time(cursor)
                processors.cannot_go_on(cursor, self._processor, now, part, type(error).__name__)
        except OUTAGE as outage:
            log.warning("that is not on record: %s", str(outage).strip())

    def beat(self) -> None:
        with self._pool.transaction() as cursor:
            now = processors.database_time(cursor)
            self.is_fenced = not processors.seen(cursor, self._processor, now, self._failures.seen_at(now))
            alive = processors.alive(cursor, now, self.patience)
        if self._last is None or now - self._last > self.patience / 2:
            self._steady_since = now
        self._last = now
        if self._processor in alive:
            self.share = (alive.index(self._processor), len(alive))

    def trust_clock(self, is_trusted: bool) -> None:
        """Says, whenever that changes, whether the processor knows well enough what time it is to send."""
        if is_trusted == self._trusts_clock:
            return
        with self._pool.transaction() as cursor:
            processors.trust_clock(cursor, self._processor, is_trusted)
        self._trusts_clock = is_trusted
        if is_trusted:
            log.warning("the time is certain again: sending goes on")
        else:
            log.warning("nothing is sent: the database answers too slowly to know what time it is")
