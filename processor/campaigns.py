"""What happens to campaigns by itself: scheduled starts, queueing, and the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from application.decisions.postledger import Postledger
from domain.campaign.state import State
from domain.clock import Clock
from domain.delivery.reply import sanitise
from domain.errors import Refused
from processor.queueing import Queueing
from projections import campaign_progress
from projections.following.runner import Runner
from projections.queue import queue
from storage.postgres.pool import Pool

log = logging.getLogger(__name__)


class DueCampaigns:
    def __init__(self, pool: Pool, application: Postledger, runner: Runner, queueing: Queueing, clock: Clock,
                 actor: str) -> None:  # fmt: skip
        self._pool = pool
        self._application = application
        self._runner = runner
        self._queueing = queueing
        self._clock = clock
        self._actor = actor
        self.is_stopping = False

    def run(self) -> None:
        """Does all that is due; called about once a second and whenever the log says something new."""
        if self.is_stopping:
            return
        self._start_scheduled()
        self._queue_started()
        self._finish_drained()

    def _start_scheduled(self) -> None:
        if not self._clock.is_trusted():
            return
        now = datetime.fromtimestamp(self._clock.earliest(), UTC)
        with self._pool.transaction() as cursor:
            due = campaign_progress.scheduled_until(cursor, now)
        for number in due:
            try:
                self._application.start_due(number, by=self._actor)
            except Refused as refusal:
                log.info("campaign %d was not started as scheduled: %s", number, refusal)

    def _queue_started(self) -> None:
        with self._pool.transaction() as cursor:
            numbers = queue.campaigns_to_queue(cursor)
        for number in numbers:
            while not self.is_stopping and self._queueing.step(number):
                pass

    def _finish_drained(self) -> None:
        with self._pool.transaction() as cursor:
            drained = queue.drained_campaigns(cursor)
        for number in drained:
            try:
                self._application.finish(number, by=self._actor)
            except Refused as refusal:
                log.debug("campaign %d was not finished: %s", number, refusal)

    def pause_broken(self, broken: Mapping[int, str]) -> None:
        """A campaign that no messages can be made of waits for a person instead of failing for everybody."""
        for number, reason in broken.items():
            if self._application.campaign(number).state is State.RUNNING:
                log.error("campaign %d is paused: %s", number, reason)
                try:
                    self._application.pause(number, reason=sanitise(reason, ""), by=self._actor)
                except Refused as refusal:
                    log.warning("campaign %d was not paused: %s", number, refusal)
