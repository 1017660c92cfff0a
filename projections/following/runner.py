"""Folds what is new in the log into all projections, one batch and one transaction at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from projections.all import PROJECTIONS, TOPICS
from projections.following import schema
from projections.following.batch import EventBatch, decode
from projections.following.projection import Projection
from projections.following.schema import log_head
from storage.postgres.pool import Pool

LIVE_EVENTS = 20_000
BULK_EVENTS = 500_000
LIVE_AUDIENCE = 50_000
BULK_AUDIENCE = 1_000_000
"""Rows that the RecipientsQueued facts of a batch may add."""

FAR_BEHIND = 100_000
"""Who is more events behind than this takes them in bulk: nobody waits for the first of them."""

LOOK_AGAIN = 0.005
"""Seconds between looks at what another runner is doing."""

ADVISORY_LOCK = 0x72756E6E6572  # "runner"

# A crash may take the last batches with their positions: they are folded again, so no commit waits for
# the disk. Indexes are cheap, since what they lead to is in memory. A batch may take longer than a page.
SETTINGS = """
    SELECT set_config('work_mem', %(work_mem)s, true), set_config('jit', 'off', true),
           set_config('random_page_cost', '1.1', true), set_config('synchronous_commit', 'off', true),
           set_config('client_min_messages', 'warning', true),
           set_config('statement_timeout', '10min', true)
"""


class Runner:
    """One runner folds at a time, over all processes; the others wait for it or let it do.

    Thread-safe. `position` is how far the projections were when this runner looked last, and `head` how
    far the log was.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._is_prepared = False
        self.position = 0
        self.head = 0

    def catch_up(self) -> int:
        """Returns when the projections show all that is in the log at the time of the call; the number
        of events that this runner applied itself."""
        with self._pool.transaction() as cursor:
            head = log_head(cursor)
        return self.catch_up_to(head)

    def catch_up_to(self, position: int, timeout: float = float("inf")) -> int:
        """As `catch_up`, as far as `position`. Raises TimeoutError after `timeout` seconds."""
        applied, deadline = 0, time.monotonic() + timeout
        while self.position < position:
            step = self.step()
            applied += step or 0
            if self.position >= position:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"the projections are at {self.position}, {position} was waited for")
            if not step:
                time.sleep(LOOK_AGAIN)
        return applied

    def step(self) -> int | None:
        """Applies one batch: the number of events in it; None when another runner is at it."""
        self._prepare()
        with self._pool.transaction() as cursor:
            is_free = _try_lock(cursor)
            head = log_head(cursor)
            batch = fold_next(cursor, PROJECTIONS, head) if is_free else None
            position = min(schema.positions(cursor).values())
        self.position, self.head = position, head
        if not is_free:
            return None
        return batch.upto - batch.after if batch else 0

    def _prepare(self) -> None:
        if not self._is_prepared:
            schema.create(self._pool)
            self._is_prepared = True


def _try_lock(cursor: Any) -> bool:
    """Whoever is suspended while holding the lock loses it soon: else the projections would stand still."""
    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '5s'")
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
    return bool(cursor.fetchone()[0])


def fold_next(cursor: Any, projections: Sequence[Projection], head: int) -> EventBatch | None:
    """Applies the next batch up to `head` to those projections that are furthest behind, in the tables
    that the search_path finds. None when there is nothing left."""
    positions = schema.positions(cursor)
    after = min(positions[projection.name] for projection in projections)
    behind = [projection for projection in projections if positions[projection.name] == after]
    ahead = [positions[projection.name] for projection in projections if positions[projection.name] > after]
    is_bulk = head - after > FAR_BEHIND
    upto = min(head, after + (BULK_EVENTS if is_bulk else LIVE_EVENTS), *ahead)
    if upto <= after:
        return None
    cursor.execute(SETTINGS, {"work_mem": "256MB" if is_bulk else "64MB"})
    batch = decode(cursor, TOPICS, after, upto, BULK_AUDIENCE if is_bulk else LIVE_AUDIENCE)
    for projection in behind:
        if batch.has(projection.topics):
            projection.fold(cursor, batch)
    cursor.execute(
        "UPDATE projection_positions SET position = %s WHERE projection = ANY (%s)",
        (batch.upto, [projection.name for projection in behind]),
    )
    return batch
