"""A processor: everything one sending process runs, started and stopped as one."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from eventsourcing.persistence import InfrastructureFactory

from application.decisions.postledger import Postledger
from application.reservations import Reservations
from domain.clock import Clock
from processor.campaigns import DueCampaigns
from processor.dispatch.attempts import Attempts
from processor.dispatch.composing import Composing
from processor.dispatch.connection_pool import PoolSettings
from processor.dispatch.dispatcher import Dispatcher
from processor.failures import Failures
from processor.listener import Listener
from processor.planner.rounds import Rounds
from processor.planner.send import PoolCapacity
from processor.queueing import Queueing
from processor.recovery.flight_recorder import FlightRecorder
from processor.recovery.heartbeat import Heartbeat
from processor.recovery.recovery import Recovery, host_name
from processor.schedule import Schedule
from processor.send_permissions import SendPermissions
from processor.suspensions import Suspensions
from projections.following.follower import Follower
from projections.following.runner import Runner
from storage import processors
from storage.log.committer import Committer, Fenced
from storage.log.factory import LogFactory
from storage.postgres.pool import Pool
from storage.secrets import Secrets
from storage.shared_clock import set_by_database

log = logging.getLogger(__name__)

DRAIN_SECONDS = 60.0
GIVE_UP_SECONDS = 10.0
IDLE_ROUND_SECONDS = 0.02
"""The least time between two rounds, so that a hungry connection pool does not keep the planner spinning."""


class Processor:
    """All that it writes goes through one committer under its number, so that nothing of it gets into the
    log once others have taken it for dead, which they do after `patience`."""

    def __init__(self, url: str, pool: Pool, secrets: Secrets, clock: Clock, public_url: str,
                 *, patience: timedelta = processors.PATIENCE,
                 records: Path | None = None) -> None:  # fmt: skip
        self._pool, self._clock = pool, clock
        self.number, now = registered(pool, clock)
        self._recorder = FlightRecorder(records, self.number, now)
        actor = f"processor:{self.number}"
        self._runner = Runner(pool)
        self._failures = Failures()
        self._follower = Follower(self._runner, self._on_projected, partial(self._failures.note, "follower"))
        self._committer = Committer(
            url, clock, processor=self.number, on_commit=self._on_commit, on_refusal=self._on_refusal
        )
        factory: InfrastructureFactory[Any] = LogFactory(pool=pool, log=self._committer, clock=clock)
        self._application = application = Postledger(factory=factory, clock=clock)
        self._permissions = SendPermissions(pool, application, secrets, public_url)
        self._reservations = Reservations(pool, self._committer, actor)
        self._suspensions = Suspensions(
            self._permissions, application, clock, self._failures, actor, self._look_again
        )
        self._attempts = Attempts(
            self._permissions, self._reservations, self._committer, clock, actor, self._suspensions.suspend,
            self._recorder, Composing(self._give_up),
        )  # fmt: skip
        self._hungry = threading.Event()
        self._dispatcher = Dispatcher(self._permissions, self._attempts, clock, self._hungry)
        self._rounds = Rounds(pool, self._permissions, self._reservations, self._attempts.planned, clock)
        queueing = Queueing(pool, application, self._committer, actor)
        self._campaigns = DueCampaigns(pool, application, self._runner, queueing, clock, actor)
        self._look_after(url, patience, records)

    def _look_after(self, url: str, patience: timedelta, records: Path | None) -> None:
        """What keeps it going, and finishes what others could not."""
        self._heartbeat = Heartbeat(self._pool, self.number, patience, self._failures)
        self._recovery = Recovery(
            self._pool, self._runner, self._committer, self._clock, self._heartbeat, self.number, records
        )
        self._listener = Listener(url, self._clock, self._on_log, self._on_directory, self._on_beat)
        self._schedule = Schedule(self._failures)
        self._is_stopping = threading.Event()
        self._is_planning = self._has_news = False
        self._next_round_at = self._next_look_at = 0.0

    def start(self) -> None:
        try:
            self._start()
        except Exception as error:
            self._heartbeat.could_not_start(error)
            raise

    def _start(self) -> None:
        self._schedule.every("heartbeat", self._heartbeat.seconds, self._beat)
        self._schedule.start()
        self._follower.start()
        self._runner.catch_up()
        self._permissions.refresh(self._clock.now())
        self._dispatcher.start()
        self._listener.start()
        poll = self._permissions.view.policy.poll_interval
        self._schedule.every("send", poll, self._send)
        self._schedule.every("campaigns", 1.0, self._campaigns.run)
        self._schedule.every("recovery", self._heartbeat.seconds, self._recover)
        self._heartbeat.begins()

    def wait(self) -> bool:
        """Until `ask_to_stop`; True when that came, False when the processor cannot go on."""
        while not self._is_stopping.wait(0.5):
            if self._is_fenced:
                log.error("processor %d cannot go on: others took it for dead", self.number)
                return False
            for part in (self._dispatcher, self._listener, self._follower):
                if not part.is_running():
                    self._heartbeat.stops(type(part).__name__.lower(), part.crashed)
                    return False
        return True

    @property
    def _is_fenced(self) -> bool:
        return self._committer.is_fenced or self._heartbeat.is_fenced

    def ask_to_stop(self) -> None:
        """From here on no attempt starts. May be called from a signal handler."""
        self._attempts.are_over = True
        self._is_stopping.set()

    def stop(self, has_database: Callable[[], bool] = lambda: True) -> None:
        """No new attempt; those in flight end and are recorded; what was reserved in vain is returned. All of
        that takes a minute at most, and no more than seconds once `has_database` says that there is none any
        more and that none will come back.

        The heart beats until the last attempt has ended: nobody may take the processor for dead before.
        """
        self.ask_to_stop()
        self._campaigns.is_stopping = True
        self._hungry.set()
        self._dispatcher.stop(DRAIN_SECONDS, has_database)
        # A round that waits for a database which does not come back would hold the stop up for ever.
        self._committer.give_up_in(GIVE_UP_SECONDS if has_database() else 0.0)
        self._schedule.stop()
        self._listener.stop()
        self._suspensions.close()
        self._return_the_rest()
        self._committer.close()
        self._recorder.close()
        self._follower.stop()
        self._runner.catch_up()
        with self._pool.transaction() as cursor:
            processors.fence(cursor, self.number)
        log.info("processor %d stopped", self.number)

    def _return_the_rest(self) -> None:
        if self._is_fenced:
            return
        try:
            self._reservations.close(self._clock.latest())
        except Fenced:
            log.warning("processor %d was fenced as it stopped: others return what it reserved", self.number)

    def _send(self) -> None:
        """The APScheduler job: rounds, as long as there is something to send and somebody to take it."""
        self._is_planning = True
        try:
            shown = self._plan_and_hand()
            self._schedule.next_in("send", min(self._seconds_to_next_round(), self._seconds_to_next_due()))
        finally:
            self._is_planning = False
        # Whoever called for a round in the meantime was not heard.
        if self._hungry.is_set() or self._runner.position > shown:
            self._schedule.now("send")

    def _plan_and_hand(self) -> int:
        """How much of the log the projections showed in the last round."""
        shown = self._runner.position
        while not self._is_stopping.is_set():
            self._hungry.clear()
            shown = self._runner.position
            self._attempts.planned.forget(shown)
            sends = self._rounds.plan(self._capacities())
            self._dispatcher.hand(sends)
            self._campaigns.pause_broken(self._permissions.closed_campaigns())
            if not sends and not self._dispatcher.is_busy and not self._hungry.is_set():
                break
            self._hungry.wait(self._seconds_to_next_round())
            self._is_stopping.wait(IDLE_ROUND_SECONDS)
        return shown

    def _on_projected(self) -> None:
        """What was news a moment ago is shown by now: there may be something to queue, to send, to finish."""
        if self._has_news:
            self._has_news = False
            self._schedule.now("campaigns")
        if not self._is_planning:
            self._schedule.now("send")

    def _capacities(self) -> dict[int, PoolCapacity]:
        servers = self._permissions.view.servers
        self._dispatcher.open_pools({number: PoolSettings.of(s.settings) for number, s in servers.items()})
        return self._dispatcher.capacities(servers)

    def _seconds_to_next_round(self) -> float:
        seconds, view = float(self._permissions.view.policy.poll_interval), self._permissions.view
        frees_at = self._reservations.next_change(view.limits, view.calendar, self._rounds.planned_at)
        if frees_at is not None:
            seconds = max(IDLE_ROUND_SECONDS, min(seconds, frees_at - self._clock.earliest()))
        self._next_round_at = self._clock.steady() + seconds
        return seconds

    def _seconds_to_next_due(self) -> float:
        """So that a retry goes out when it is due and not when the next round happens to come."""
        due = self._rounds.next_due()
        if due is None:
            return math.inf
        return max(IDLE_ROUND_SECONDS, due.timestamp() - self._clock.earliest())

    def _on_beat(self, since: float) -> None:
        """In the listener's thread, several times a second while the database answers."""
        self._schedule.keep_pace()
        self._heartbeat.trust_clock(self._clock.is_trusted())
        if self._clock.steady() < self._next_look_at:
            return
        try:
            self._look_again(since)
        except Exception as error:  # noqa: BLE001  # Nothing starts meanwhile, and people are told.
            self._next_look_at = self._clock.steady() + self._failures.failed("permissions", error)
        else:
            self._failures.succeeded("permissions")
            self._dispatcher.wake()

    def _look_again(self, since: float | None = None) -> None:
        """Also when a round was to be by now, for a clock that was set or a machine that slept."""
        before = self._permissions.view.open_until
        self._permissions.refresh(datetime.fromtimestamp(self._clock.earliest(), UTC), since)
        after = self._permissions.view.open_until
        is_newly_open = any(until > before.get(server, 0.0) for server, until in after.items())
        if is_newly_open or self._clock.steady() >= self._next_round_at:
            self._wake()

    def _give_up(self, campaign: int, reason: str) -> None:
        """In the dispatcher's thread."""
        self._permissions.close_campaign(campaign, reason, self._clock.now())
        self._wake()

    def _on_commit(self, head: int) -> None:
        """In the committer's thread."""
        self._follower.wake(head)
        self._dispatcher.wake()

    def _on_refusal(self) -> None:
        """In the committer's thread."""
        self._dispatcher.wake()

    def _on_log(self) -> None:
        self._has_news = True
        self._follower.wake()
        self._wake()

    def _wake(self) -> None:
        self._hungry.set()
        self._schedule.now("send")

    def _on_directory(self, recipient: int | None) -> None:
        self._permissions.became_stale(recipient)
        if recipient is None:
            self._dispatcher.release_all()
            self._wake()

    def _beat(self) -> None:
        self._heartbeat.beat()
        if self._rounds.share != self._heartbeat.share:
            self._rounds.share = self._heartbeat.share
            self._wake()

    def _recover(self) -> None:
        self._recovery.run(self._permissions.view.policy)
        # What was the share of the dead is somebody's from now on.
        self._beat()


def registered(pool: Pool, clock: Clock) -> tuple[int, datetime]:
    """The number of a new processor on this host, and since when it is there."""
    with pool.transaction() as cursor:
        set_by_database(clock, cursor)
        now = processors.database_time(cursor)
        return processors.register(cursor, host_name(), os.getpid(), now), now
