"""Recovery: what a processor that died has left open is closed by the ones that live.

A processor that is silent is fenced first: from then on it can append nothing, so what the log says
of it is all that will ever be said by it. Its attempts without an outcome end as its flight record
tells (processor/recovery/flight_recorder.py), and are unknown where that tells nothing. What it
reserved and did not use is returned.
"""

from __future__ import annotations

import logging
import os
import random
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any

from domain.capacity.capacity import Returned
from domain.clock import Clock
from domain.delivery import interrupted
from domain.delivery.interrupted import Resumption, Trace
from domain.fact import Fact
from domain.policy import SendingPolicy
from domain.streams import capacity_stream
from processor.recovery import flight_recorder
from processor.recovery.heartbeat import Heartbeat
from processor.recovery.interruptions import Interruption, interruptions
from projections import rolling_usage
from projections.following.runner import Runner
from projections.queue import queue
from storage import processors
from storage.log.committer import Committer, Conflict
from storage.postgres.pool import Pool
from storage.processors import Dead

log = logging.getLogger(__name__)

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


KEPT = timedelta(days=7)
"""A flight record so old that nobody has asked for is of a database that is no more."""


def host_name() -> str:
    """Host, boot and name space: what makes a process number mean something. Names of hosts repeat, the
    identity of a boot does not."""
    boot = BOOT.read_text().strip() if BOOT.exists() else ""
    inode = NAMESPACE.stat().st_ino if NAMESPACE.exists() else 0
    return f"{socket.gethostname()}/{boot}/{inode}"


@dataclass(frozen=True)
class Recovery:
    """`records` is the folder of the flight records of this host."""

    pool: Pool
    runner: Runner
    committer: Committer
    clock: Clock
    heartbeat: Heartbeat
    processor: int
    records: Path | None = None

    def run(self, policy: SendingPolicy) -> int:
        """Closes what dead processors left open; the number of attempts that had no outcome."""
        dead = self._fence_the_dead()
        if not dead:
            return 0
        self.runner.catch_up()
        numbers = [one.number for one in dead]
        with self.pool.transaction() as cursor:
            left = interruptions(cursor, numbers)
            cancelled = queue.cancelled_campaigns(cursor, {one.campaign for one in left})
        refused = self._end(left, self._traces(dead, left), cancelled, policy)
        with self.pool.transaction() as cursor:
            reservations = rolling_usage.left_open_by(cursor, numbers, refused)
        for reservation in reservations:
            self._return(reservation, refused[reservation.server, reservation.reservation])
        self._settle(dead)
        return len(left)

    def _fence_the_dead(self) -> list[Dead]:
        """All fenced processors, those that another one fenced and had no time to clean up after too."""
        with self.pool.transaction() as cursor:
            for number in sorted({*self._silent(cursor), *self._gone_from_here(cursor)}):
                if number != self.processor:
                    log.warning("processor %d is gone: fenced", number)
                    processors.fence(cursor, number)
            since = processors.database_time(cursor) - self.heartbeat.patience
            fenced = processors.fenced_with_open_work(cursor, host_name(), since)
            return [one for one in fenced if one.number != self.processor]

    def _silent(self, cursor: Any) -> Sequence[int]:
        now = processors.database_time(cursor)
        if not self.heartbeat.may_judge(now):
            return []
        return processors.silent(cursor, now, self.heartbeat.patience)

    def _gone_from_here(self, cursor: Any) -> Sequence[int]:
        """Unfenced processors of this host whose process does not exist any more: no need to wait."""
        return [n for n, pid in processors.unfenced_on(cursor, host_name()) if not _is_running(pid)]

    def _traces(self, dead: Sequence[Dead], left: Sequence[Interruption]) -> list[Trace | None]:
        """What the flight records say of each attempt, which the log does not."""
        here, records = host_name(), {}
        for one in dead:
            if self.records and one.host == here:
                found = flight_recorder.left_by(self.records, one.number, one.started_at)
                records[f"processor:{one.number}"] = found
        return [attempt.trace_in(records.get(attempt.started.by, {})) for attempt in left]

    def _end(
        self, left: Sequence[Interruption], traces: Sequence[Trace | None], cancelled: set[int],
        policy: SendingPolicy,
    ) -> Counter[tuple[int, int]]:  # fmt: skip
        """By server and reservation: how many attempts that ended here had certainly not come to the dot."""
        waits = []
        for attempt, trace in zip(left, traces, strict=True):
            to = Resumption(
                f"processor:{self.processor}", self.clock.seconds(), policy, random.random(),  # noqa: S311
                attempt.campaign in cancelled,
            )  # fmt: skip
            facts = interrupted.outcome(attempt.delivery, attempt.started, trace, to)
            waits.append(self.committer.promise([fact.stored() for fact in facts]))
        refused = Counter[tuple[int, int]]()
        for attempt, trace, wait in zip(left, traces, waits, strict=True):
            try:
                wait.result()
            except Conflict:
                log.info("another processor ended %s first", attempt.started.originator_id)
                continue
            if trace is not None and not trace.dot_sent:
                refused[attempt.started.server, attempt.started.reservation] += 1
        return refused

    def _return(self, reservation: rolling_usage.LeftOpen, refused: int) -> None:
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
                refused=refused,
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

    def _settle(self, dead: Sequence[Dead]) -> None:
        """Once nothing of them is left open, which a look at what the projections show by now decides."""
        self.runner.catch_up()
        numbers = [one.number for one in dead]
        with self.pool.transaction() as cursor:
            if queue.in_flight(cursor, numbers) or rolling_usage.left_open_by(cursor, numbers):
                return
            for number in numbers:
                processors.settle(cursor, number)
        if self.records:
            for one in dead:
                flight_recorder.forget(self.records, one.number, one.started_at)
            flight_recorder.forget_older(self.records, self.clock.now() - KEPT)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
