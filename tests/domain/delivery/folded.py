"""The facts of one delivery, taken one after the other: what projections come to in their way."""

from __future__ import annotations

from domain.delivery.delivery import (
    STATUS_AFTER,
    Accepted,
    AttemptStarted,
    Deferred,
    Failed,
    Requeued,
    Status,
    may_follow,
    provoked_after,
)
from domain.delivery.reply import About
from domain.fact import Fact


class Delivery:
    """What the facts of one delivery come to.

    A recipient that was queued and has no fact yet is `queued`, at version 0. `attempts` are those
    that count towards giving up: not the ones that only told something of the server, and none
    from before the delivery was put back in the queue.
    """

    def __init__(self) -> None:
        self.version = 0
        self.attempts = 0
        self.provoked = 0
        self.server: int | None = None
        self.reply = ""
        self.first_failed_at: float | None = None
        self.again: float | None = None
        self._status = Status.QUEUED
        self._campaign_cancelled = False

    @property
    def status(self) -> Status:
        if self._campaign_cancelled and self._status is Status.QUEUED:
            return Status.CANCELLED
        return self._status

    def cancel_with_campaign(self) -> None:
        """What is queued in a cancelled campaign is cancelled, and so is what becomes queued later."""
        self._campaign_cancelled = True

    def may(self, fact: type[Fact]) -> bool:
        """Whether such a fact can follow now."""
        return may_follow(self.status, fact)

    def apply(self, fact: Fact, recorded_at: float | None = None) -> None:
        """`recorded_at` in epoch seconds tells when the first failure was. Raises ValueError for a
        fact that cannot follow, or that is not the next: a log that has one is wrong."""
        if fact.originator_version != self.version + 1:
            raise ValueError(f"version {fact.originator_version} cannot follow version {self.version}")
        if not self.may(type(fact)):
            raise ValueError(f"a delivery that is {self.status} cannot become {fact.TOPIC}")
        self._status = STATUS_AFTER[fact.TOPIC]
        self.version = fact.originator_version
        self.again = None
        self.provoked = provoked_after(self.provoked, fact)
        if isinstance(fact, AttemptStarted):
            self.server = fact.server
            self.attempts += 1
        elif isinstance(fact, Deferred):
            self._defer(fact, recorded_at)
        elif isinstance(fact, Requeued):
            self.attempts, self.first_failed_at, self.again = 0, None, fact.again
        if isinstance(fact, Accepted | Deferred | Failed):
            self.reply = fact.reply

    def _defer(self, fact: Deferred, recorded_at: float | None) -> None:
        self.again = fact.again
        if fact.about == About.SERVER:
            self.attempts -= 1
        elif self.first_failed_at is None:
            self.first_failed_at = recorded_at
