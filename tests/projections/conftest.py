from __future__ import annotations

import itertools
from typing import Any

import pytest

from domain.clock import VirtualClock
from projections.following.runner import Runner
from storage.log.append import Log
from storage.postgres.pool import Pool
from tests.projections.histories import START, History
from tests.projections.oracle import Oracle


class Writing:
    """Puts one history after another into a log, each recorded later than the one before."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.clock = VirtualClock(START)
        self.log = Log(pool, self.clock)
        self.runner = Runner(pool)

    def write(self, history: History) -> Oracle:
        shift = self.clock.now() - START
        oracle = Oracle()
        for at, events in itertools.groupby(history.events, key=lambda event: event.at + shift):
            self.clock.advance_to(at)
            together = list(events)
            self.log.append([event.stored for event in together])
            for event in together:
                event.at = at
                oracle.apply(event)
        return oracle

    def fold(self, history: History) -> None:
        """What has come since the last call goes into the log and from there into the tables."""
        new, history.written = history.events[history.written :], len(history.events)
        for event in new:
            self.clock.advance_to(event.at)
            self.log.append([event.stored])
        self.runner.catch_up()

    def ask(self, question: Any, *about: Any, **filters: Any) -> Any:
        with self.pool.transaction() as cursor:
            return question(cursor, *about, **filters)


@pytest.fixture
def writing(pool: Pool) -> Writing:
    return Writing(pool)


@pytest.fixture
def history() -> History:
    """One running campaign with ten people in the queue, and a server that may send ten e-mails."""
    history = History()
    server = history.add_server()
    campaign = history.create()
    history.turn(campaign, "started", "running")
    history.queue(campaign, [10])
    history.reserve(server, 10)
    return history
