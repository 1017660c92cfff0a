"""The heartbeat: a processor says that it lives, and hears which others do.

All by the database's clock: the clocks of several hosts may differ.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from storage import processors
from storage.postgres.pool import Pool

BEATS = 6
"""How often a processor says that it lives while others would have patience."""


class Heartbeat:
    """`is_fenced` once others took this processor for dead. `share` is (rank, of) among those alive."""

    def __init__(self, pool: Pool, processor: int, patience: timedelta) -> None:
        self._pool = pool
        self._processor = processor
        self.patience = patience
        self.is_fenced = False
        self.share = (0, 1)
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

    def beat(self) -> None:
        with self._pool.transaction() as cursor:
            now = processors.database_time(cursor)
            self.is_fenced = not processors.seen(cursor, self._processor, now)
            alive = processors.alive(cursor, now, self.patience)
        if self._last is None or now - self._last > self.patience / 2:
            self._steady_since = now
        self._last = now
        if self._processor in alive:
            self.share = (alive.index(self._processor), len(alive))
