"""What the dispatcher asks at each step of an attempt, and what it records."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from application.reservations import Reservations
from domain.clock import Clock
from domain.delivery.about import About
from domain.delivery.interrupted import Resumption
from domain.delivery.reply import UNREACHABLE, Verdict, classify, is_provoked, sanitise, weigh, with_code
from domain.delivery.retry import suspend_until
from domain.fact import Fact
from mail.message.skeleton import Skeleton
from mail.smtp.transaction import Outcome, Transaction
from mail.smtp.transport import Connection
from mail.smtp.transport_errors import TransportError
from mail.template.render import reason_of
from processor.dispatch import attempt as facts
from processor.dispatch.attempt import Attempt
from processor.dispatch.composing import Composing
from processor.dispatch.connection_pool import ConnectionPool
from processor.planner.planned_deliveries import PlannedDeliveries
from processor.planner.send import Send
from processor.recovery.flight_recorder import NO_SLOT, FlightRecorder
from processor.send_permissions import SendPermissions
from storage.log.committer import Committer, Conflict, Fenced, Unresolved
from storage.log.entries import Entry
from storage.log.submission import Settled

log = logging.getLogger(__name__)


Heard = Callable[[int, Exception | None], None]
"""Called with the position of the last of some events, or with why they are not in the log."""


class Attempts:
    """`suspend(server, reason, until)` is called in the loop's thread and must not block."""

    def __init__(self, permissions: SendPermissions, reservations: Reservations, committer: Committer,
                 clock: Clock, actor: str, suspend: Callable[[int, str, datetime], None],
                 recorder: FlightRecorder, composing: Composing) -> None:  # fmt: skip
        self._permissions = permissions
        self._reservations = reservations
        self._committer = committer
        self._clock = clock
        self._actor = actor
        self._suspend = suspend
        self.recorder = recorder
        self._composing = composing
        self.planned = PlannedDeliveries()
        self.are_over = False
        """Set from any thread: no attempt starts any more."""
        self._outbox: list[tuple[list[Entry], Heard]] = []
        self._answers: deque[Settled] = deque()
        self._untold: deque[tuple[list[Entry], Send, int]] = deque()
        self._unanswered = 0

    @property
    def pending(self) -> int:
        """Facts that are not in the log yet, or not known to be."""
        return self._unanswered + len(self._untold)

    def begin(self, send: Send, connection: Connection,
              on_committed: Callable[[Exception | None], None]) -> Attempt | None:  # fmt: skip
        """Hands AttemptStarted to the committer. None when the send may not or cannot start now."""
        now, view = self._clock.latest(), self._permissions.view
        may_start = not self.are_over and view.may_start(send.campaign, send.server, now)
        if not may_start or self._permissions.is_stale(send.person_number, send.read_at):
            self.planned.release(send.key)
            return None
        if send.not_mailable is not None:
            self._record([facts.suppressed(send, send.not_mailable, self._actor).entry()], send)
            return None
        skeleton = self._skeleton(send)
        if skeleton is None:
            return None
        reservation = self._reservations.take(send.server, view.limits[send.server], now)
        if reservation is None:
            self.planned.release(send.key)
            return None
        transaction = self._transaction(send, skeleton, connection)
        if transaction is None:
            self._reservations.give_back(reservation)
            return None
        attempt = Attempt(send, reservation, transaction)
        attempt.slot = self.recorder.start(attempt.stream, attempt.version, reservation.version, send.server)
        if send.id_domain is None and skeleton.from_domain != view.servers[send.server].first_domain:
            attempt.id_domain = skeleton.from_domain
        self._submit([facts.started(attempt, self._actor)], partial(self._started, attempt, on_committed))
        return attempt

    def _skeleton(self, send: Send) -> Skeleton | None:
        """None when it cannot go through this server, now or at all: it is let go, or recorded, then."""
        try:
            skeleton = self._permissions.skeleton(send.campaign, send.server)
        except Exception as error:  # noqa: BLE001  # It is this server's trouble with this campaign alone.
            self._not_through_here(send, reason_of(error))
            return None
        if skeleton is None:
            self.planned.release(send.key)
        return skeleton

    def _transaction(self, send: Send, skeleton: Skeleton, connection: Connection) -> Transaction | None:
        """None when no message can be made or this server cannot take it: so it is recorded then."""
        transaction = self._composing.transaction(send, skeleton, connection, self._clock.now())
        if isinstance(transaction, str):
            self._record([facts.unmakeable(send, transaction, self._actor).entry()], send)
            return None
        if transaction.outcome is not None:
            self._not_through_here(send, transaction.outcome.text)
            return None
        return transaction

    def _not_through_here(self, send: Send, obstacle: str) -> None:
        """This server cannot take the message: another one shall, if there is one."""
        self.planned.cannot_take(send.server, send.key)
        if self._permissions.servers_for(send.campaign) <= self.planned.unfit(send.key):
            self._record([facts.unmakeable(send, obstacle, self._actor).entry()], send)
        else:
            self.planned.release(send.key)

    def _started(self, attempt: Attempt, on_committed: Callable[[Exception | None], None],
                 position: int, error: Exception | None) -> None:  # fmt: skip
        if error is None:
            self.planned.wrote(attempt.send.key, position)
        else:
            self._reservations.give_back(attempt.reservation)
            self.planned.release(attempt.send.key)
            if not isinstance(error, Unresolved):
                self.recorder.release(attempt.slot)
        on_committed(error)

    def is_open(self, server: int) -> bool:
        return self._permissions.view.is_open(server, self._clock.latest())

    def must_wait(self) -> bool:
        """Whether it is not known at the moment what may be sent: it will be read anew in a moment, when the
        database can be asked."""
        return not self.are_over and not self._permissions.view.is_current(self._clock.latest())

    def obstacle(self, attempt: Attempt) -> str:
        """The last look before MAIL FROM, after the commit: what speaks against it; "" when nothing does."""
        send, view, now = attempt.send, self._permissions.view, self._clock.latest()
        if self.are_over:
            return "the processor is stopping"
        if not view.may_start(send.campaign, send.server, now):
            return "sending was stopped meanwhile"
        if not attempt.reservation.may_be_spent(view.limits[send.server], now):
            return "what was reserved for it was not valid any more"
        if self._permissions.is_stale(send.person_number, send.read_at):
            return "the recipient was changed meanwhile"
        return ""

    def not_offered(self, attempt: Attempt, reason: str) -> None:
        """Nothing was written to the server, so it was given nothing."""
        self._reservations.untouched(attempt.reservation)
        fact = facts.put_back(attempt.send, f"not offered: {reason}", self._clock.seconds(), self._actor)
        self._record([fact.entry()], attempt.send, attempt.slot)

    def hung_up(self, pool: ConnectionPool, served: int, reason: str) -> None:
        """The server closed a connection on which it had answered `served` attempts, before the next."""
        if served:
            pool.closed_after(served)
        elif pool.has_broken_too_often():
            self._trouble(pool, UNREACHABLE, sanitise(reason, ""))

    def end(self, attempt: Attempt, pool: ConnectionPool, *, served: int) -> bool:
        """Records how the attempt ended, the connection having carried `served` ones before. True when it can
        carry another one."""
        outcome, now = attempt.transaction.outcome, self._clock.seconds()
        assert outcome is not None
        self._reservations.ended(attempt.reservation, refused=not outcome.dot_sent)
        if outcome.accepted:
            pool.widen()
            self._conclude(attempt, facts.accepted(attempt, outcome.text, outcome.code, self._actor), outcome)
        elif outcome.is_unknown:
            self._unknown(attempt, outcome.text, now)
            self._break(pool, outcome)
        else:
            self._refused(attempt, pool, outcome, served, now)
        return outcome.connection_usable

    def _refused(
        self, attempt: Attempt, pool: ConnectionPool, outcome: Outcome, served: int, now: float
    ) -> None:
        send, code = attempt.send, outcome.code
        told = classify(code, outcome.text, outcome.stage)
        provoked = is_provoked(told, outcome.stage)
        verdict = weigh(told, outcome.stage, send.provoked)
        if served and outcome.is_hang_up:  # When it is in trouble, it will tell the next connection so.
            fact: Fact = facts.put_back(send, outcome.text, now, self._actor, code=code)
            pool.closed_after(served)
        elif verdict.about is About.SERVER:
            fact = facts.put_back(send, outcome.text, now, self._actor, code=code, provoked=provoked)
            if not provoked or pool.is_blamed_by(send.key):
                self._trouble(pool, verdict, with_code(code, fact.reply))
        else:
            policy, jitter = self._permissions.view.policy, random.random()  # noqa: S311
            fact = facts.refused(
                send, verdict, outcome.text, now, policy, jitter, self._actor, code=code, provoked=provoked
            )
            self._break(pool, outcome)
        self._conclude(attempt, fact.entry(), outcome)

    def _conclude(self, attempt: Attempt, entry: Entry, outcome: Outcome) -> None:
        """The flight record has it first: between there and the log the processor may die."""
        self.recorder.ended(attempt.slot, entry[2], entry[3], dot_sent=outcome.dot_sent)
        self._record([entry], attempt.send, attempt.slot)

    def _break(self, pool: ConnectionPool, outcome: Outcome) -> None:
        """One connection that breaks says nothing of the server; that none lasts does: it would use up the
        attempts of one e-mail after the other, or leave them all unknown."""
        if outcome.code is not None:
            pool.breaks = 0
        elif pool.has_broken_too_often():
            self._trouble(pool, UNREACHABLE, sanitise(outcome.text, ""))

    def _unknown(self, attempt: Attempt, reason: str, now: float) -> None:
        send, policy, jitter = attempt.send, self._permissions.view.policy, random.random()  # noqa: S311
        to = Resumption(self._actor, now, policy, jitter, self._permissions.is_cancelled(send.campaign))
        told = facts.unknown(attempt, reason, to)
        self._record([fact.entry() for fact in told], send, attempt.slot)

    def suspend_for_connect(self, pool: ConnectionPool, error: TransportError) -> None:
        verdict = classify(error.code, error.text, error.stage)
        reason = with_code(error.code, sanitise(error.text, ""))
        self._trouble(pool, verdict._replace(transient=error.transient), reason)

    def _trouble(self, pool: ConnectionPool, verdict: Verdict, reason: str) -> None:
        """What several connections say at the same time is one trouble."""
        now, policy = self._clock.seconds(), self._permissions.view.policy
        if not self._permissions.view.is_open(pool.server, now):
            return
        pool.narrow()
        until = suspend_until(
            pool.failures,
            now,
            policy,
            random.random(),  # noqa: S311
            is_permanent=not verdict.transient,
        )
        self._suspend(pool.server, reason, datetime.fromtimestamp(until, UTC))

    def _record(self, told: list[Entry], send: Send, slot: int = NO_SLOT) -> None:
        self._submit(told, partial(self._recorded, told, send, slot))

    def _recorded(
        self, told: list[Entry], send: Send, slot: int, position: int, error: Exception | None
    ) -> None:
        if error is None:
            self.planned.wrote(send.key, position)
            self.recorder.release(slot)
        elif isinstance(error, Conflict | Fenced):
            # Another processor took this one for dead and wrote for it; what it wrote stands.
            log.warning("outcome of %s:%s not recorded: %s", *send.key, type(error).__name__)
            self.planned.release(send.key)
            self.recorder.release(slot)
        else:
            log.warning("outcome of %s:%s not recorded yet: %s", *send.key, str(error).strip())
            self._untold.append((told, send, slot))

    def tell_again(self) -> None:
        """Hands in again what the database did not take, its disk being full, say; call it now and then."""
        while self._untold:
            self._record(*self._untold.popleft())

    def _submit(self, told: list[Entry], heard: Heard) -> None:
        self._unanswered += 1
        self._outbox.append((told, heard))

    def flush(self, at_least: int = 1) -> None:
        """Hands what has come together since the last time to the committer: the fewer times it is woken,
        the more goes into one commit."""
        if len(self._outbox) >= at_least:
            handed, self._outbox = self._outbox, []
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
