"""Recovery: what a processor that died has left open is closed by the ones that live.

A processor that is silent is fenced first: from then on it can append nothing, so what the log says
of it is all that will ever be said by it. Its attempts without an outcome become OutcomeUnknown, what
it reserved and did not use is returned.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.capacity import Returned
from domain.clock import Clock
from domain.delivery import OutcomeUnknown, Requeued
from domain.fact import Fact
from domain.streams import capacity_stream, delivery_stream
from projections import queue, rolling_usage
from projections.runner import Runner
from storage import processors
from storage.log.committer import Committer, Conflict
from storage.pool import Pool

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=30)
"""A processor that has not been seen for so long is taken for dead."""

REASON = "the processor died before the outcome was recorded"


def host_name() -> str:
    """The host and its process numbers' name space: what makes a process number mean something."""
    namespace = Path("/proc/self/ns/pid")
    inode = namespace.stat().st_ino if namespace.exists() else 0
    return f"{socket.gethostname()}/{inode}"


@dataclass(frozen=True)
class Recovery:
    pool: Pool
    runner: Runner
    committer: Committer
    clock: Clock
    processor: int

    def run(self, *, resend_unknown: bool) -> int:
        """Closes what dead processors left open; the number of deliveries whose outcome is unknown."""
        dead = self._fence_the_silent()
        if not dead:
            return 0
        self.runner.catch_up()
        with self.pool.transaction() as cursor:
            attempts = queue.in_flight(cursor, dead)
            reservations = rolling_usage.left_open_by(cursor, dead)
        for attempt in attempts:
            self._declare_unknown(attempt, resend=resend_unknown)
        for reservation in reservations:
            self._return(reservation)
        self._settle(dead)
        return len(attempts)

    def _settle(self, dead: Sequence[int]) -> None:
        """Once nothing of them is left open, which a look at what the projections show by now decides."""
        self.runner.catch_up()
        with self.pool.transaction() as cursor:
            if not queue.in_flight(cursor, dead) and not rolling_usage.left_open_by(cursor, dead):
                for number in dead:
                    processors.settle(cursor, number)

    def _fence_the_silent(self) -> list[int]:
        """All fenced processors, those that another one fenced and had no time to clean up after too."""
        now = self.clock.now()
        with self.pool.transaction() as cursor:
            for number in {*processors.silent(cursor, now, PATIENCE), *self._gone_from_here(cursor)}:
                if number != self.processor:
                    log.warning("processor %d is gone: fenced", number)
                    processors.fence(cursor, number)
            return processors.fenced_with_open_work(cursor)

    def _gone_from_here(self, cursor: Any) -> Sequence[int]:
        """Unfenced processors of this host whose process does not exist any more: no need to wait."""
        return [n for n, pid in processors.unfenced_on(cursor, host_name()) if not _is_running(pid)]

    def _declare_unknown(self, attempt: queue.InFlight, *, resend: bool) -> None:
        stream, by = delivery_stream(attempt.campaign, attempt.recipient), f"processor:{self.processor}"
        facts: list[Fact] = [
            OutcomeUnknown(
                originator_id=stream,
                originator_version=attempt.version + 1,
                by=by,
                server=attempt.server,
                reason=REASON,
            )
        ]
        if resend:
            facts.append(
                Requeued(originator_id=stream, originator_version=attempt.version + 2, by=by, reason="policy")
            )
        self._append(facts)

    def _return(self, reservation: rolling_usage.LeftOpen) -> None:
        stream = capacity_stream(reservation.server)
        with self.pool.transaction() as cursor:
            version = _version_of(cursor, stream)
        fact = Returned(
            originator_id=stream,
            originator_version=version + 1,
            by=f"processor:{self.processor}",
            reservation=reservation.reservation,
            at=self.clock.now().timestamp(),
            unused=reservation.n - reservation.used,
        )
        self._append([fact])

    def _append(self, facts: Sequence[Fact]) -> None:
        try:
            self.committer.append([fact.stored() for fact in facts])
        except Conflict:
            log.info("another processor closed %s first", facts[0].originator_id)


def _version_of(cursor: Any, stream: UUID) -> int:
    cursor.execute("SELECT max(version) FROM events WHERE stream_id = %s", (str(stream),))
    return int(cursor.fetchone()[0])


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
