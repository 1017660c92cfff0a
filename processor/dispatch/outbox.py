"""What the dispatcher's thread hands to the committer, and what comes of it.

It never waits: facts go out in bundles, answers come back when they are asked for.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from processor.planner.planned_deliveries import PlannedDeliveries
from processor.planner.send import Send
from processor.recovery.flight_recorder import NO_SLOT, FlightRecorder
from storage.log.committer import Committer, Conflict, Fenced
from storage.log.entries import Entry
from storage.log.submission import Settled

log = logging.getLogger(__name__)

Heard = Callable[[int, Exception | None], None]
"""Called with the position of the last of some events, or with why they are not in the log."""


class Outbox:
    """All in the dispatcher's thread."""

    def __init__(self, committer: Committer, planned: PlannedDeliveries, recorder: FlightRecorder) -> None:
        self._committer = committer
        self._planned = planned
        self._recorder = recorder
        self._handed: list[tuple[list[Entry], Heard]] = []
        self._answers: deque[Settled] = deque()
        self._untold: deque[tuple[list[Entry], Send, int]] = deque()
        self._unanswered = 0

    @property
    def pending(self) -> int:
        """Facts that are not in the log yet, or not known to be."""
        return self._unanswered + len(self._untold)

    def record(self, told: list[Entry], send: Send, slot: int = NO_SLOT) -> None:
        self.submit(told, partial(self._recorded, told, send, slot))

    def _recorded(
        self, told: list[Entry], send: Send, slot: int, position: int, error: Exception | None
    ) -> None:
        if error is None:
            self._planned.wrote(send.key, position)
            self._recorder.release(slot)
        elif isinstance(error, Conflict | Fenced):
            # Another processor took this one for dead and wrote for it; what it wrote stands.
            log.warning("outcome of %s:%s not recorded: %s", *send.key, type(error).__name__)
            self._planned.release(send.key)
            self._recorder.release(slot)
        else:
            log.warning("outcome of %s:%s not recorded yet: %s", *send.key, str(error).strip())
            self._untold.append((told, send, slot))

    def tell_again(self) -> None:
        """Hands in again what the database did not take, its disk being full, say; call it now and then."""
        while self._untold:
            self.record(*self._untold.popleft())

    def submit(self, told: list[Entry], heard: Heard) -> None:
        self._unanswered += 1
        self._handed.append((told, heard))

    def flush(self, at_least: int = 1) -> None:
        """Hands what has come together since the last time to the committer: the fewer times it is woken,
        the more goes into one commit."""
        if len(self._handed) >= at_least:
            handed, self._handed = self._handed, []
            self._committer.submit_all(handed, self._answers.append, notify=False)

    def hear(self) -> None:
        """Goes on with what the committer has answered, whose own thread is to be kept free."""
        answers = self._answers
        while answers:
            parts, first, _, error = answers.popleft()
            self._unanswered -= len(parts)
            for told, heard in parts:
                first += len(told)
                heard(first - 1, error)
