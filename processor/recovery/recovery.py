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
from math import inf
from pathlib import Path
from typing import Any

from domain.capacity.capacity import Returned
from domain.clock import Clock
from domain.delivery.delivery import OutcomeUnknown, Requeued
from domain.fact import Fact
from domain.streams import capacity_stream, delivery_stream
from processor.recovery.heartbeat import Heartbeat
from projections import rolling_usage
from projections.following.runner import Runner
from projections.queue import queue
from storage import processors
from storage.log.committer import Committer, Conflict
from storage.postgres.pool import Pool

log = logging.getLogger(__name__)

REASON = "the processor died before the outcome was recorded"

BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACE = Path("/proc/self/ns/pid")

# Whether somebody else has returned the reservation has to be seen in the very state of the stream that the
# append expects: else two who recover at a time would both return it, one after the other.
STATE_OF = """
    SELECT max(version), bool_or(topic = 'capacity.returned'
               AND (convert_from(state, 'UTF8')::jsonb->>'reservation')::integer = %(reservation)s)
    FROM events WHERE stream_id = %(stream)s AND version >= %(reservation)s
"""

TRIES = 5
"""How often a reservation is tried to be returned while others append to the same stream; what is left
over is for the next look."""


def host_name() -> str:
    """Host, boot and name space: what makes a process number mean something. Names of hosts repeat, the
    identity of a boot does not."""
    boot = BOOT.read_text().strip() if BOOT.exists() else ""
    inode = NAMESPACE.stat().st_ino if NAMESPACE.exists() else 0
    return f"{socket.gethostname()}/{boot}/{inode}"


@dataclass(frozen=True)
class Recovery:
    pool: Pool
    runner: Runner
    committer: Committer
    clock: Clock
    heartbeat: Heartbeat
    processor: int

    def run(self, *, resend_unknown: bool) -> int:
        """Closes what dead processors left open; the number of deliveries whose outcome is unknown."""
        dead = self._fence_the_dead()
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

    def _fence_the_dead(self) -> list[int]:
        """All fenced processors, those that another one fenced and had no time to clean up after too."""
        with self.pool.transaction() as cursor:
            for number in sorted({*self._silent(cursor), *self._gone_from_here(cursor)}):
                if number != self.processor:
                    log.warning("processor %d is gone: fenced", number)
                    processors.fence(cursor, number)
            return [n for n in processors.fenced_with_open_work(cursor) if n != self.processor]

    def _silent(self, cursor: Any) -> Sequence[int]:
        now = processors.database_time(cursor)
        if not self.heartbeat.may_judge(now):
            return []
        return processors.silent(cursor, now, self.heartbeat.patience)

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
        """Not while nobody knows what time it is: the next look will find it, too."""
        stream, now = capacity_stream(reservation.server), self.clock.latest()
        for _ in range(TRIES if now < inf else 0):
            with self.pool.transaction() as cursor:
                cursor.execute(STATE_OF, {"stream": str(stream), "reservation": reservation.reservation})
                version, is_returned = cursor.fetchone() or (0, False)
            fact = Returned(
                originator_id=stream,
                originator_version=version + 1,
                by=f"processor:{self.processor}",
                reservation=reservation.reservation,
                at=now,
                unused=reservation.n - reservation.used,
            )
            if is_returned or self._append([fact]):
                return

    def _append(self, facts: Sequence[Fact]) -> bool:
        """False when somebody else appended to the stream first."""
        try:
            self.committer.append([fact.stored() for fact in facts])
        except Conflict:
            log.info("another processor wrote to %s first", facts[0].originator_id)
            return False
        return True


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
