"""What the dispatcher asks at each step of an attempt, and what it records."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from application.reservation import Reservation
from application.reservations import Reservations
from domain.clock import Clock
from domain.delivery.delivery import About
from domain.delivery.reply import UNREACHABLE, Stage, Verdict, classify, is_provoked, sanitise, weigh
from domain.delivery.retry import suspend_until
from domain.fact import Fact
from domain.streams import delivery_stream_bytes
from mail.message.compose import Skeleton
from mail.smtp.transaction import Outcome
from mail.smtp.transport import Connection
from mail.smtp.transport_errors import TransportError
from mail.template.render import MessageError
from processor.dispatch import attempt as facts
from processor.dispatch.attempt import Attempt
from processor.dispatch.connection_pool import ConnectionPool
from processor.dispatch.outbox import Outbox
from processor.planner.planned_deliveries import PlannedDeliveries
from processor.planner.send import Send
from processor.recovery.flight_recorder import FlightRecorder
from processor.send_permissions import SendPermissions
from storage.log.committer import Committer, Unresolved
from storage.log.entries import Entry

log = logging.getLogger(__name__)


class Attempts:
    """`suspend(server, reason, until)` is called in the loop's thread and must not block."""

    def __init__(self, permissions: SendPermissions, reservations: Reservations, committer: Committer,
                 clock: Clock, actor: str, suspend: Callable[[int, str, datetime], None],
                 recorder: FlightRecorder) -> None:  # fmt: skip
        self._permissions = permissions
        self._reservations = reservations
        self.planned = PlannedDeliveries()
        self.outbox = Outbox(committer, self.planned, recorder)
        self._clock = clock
        self._actor = actor
        self._suspend = suspend
        self.recorder = recorder
        self.are_over = False
        """Set from any thread: no attempt starts any more."""

    def begin(self, send: Send, connection: Connection,
              on_committed: Callable[[Exception | None], None]) -> Attempt | None:  # fmt: skip
        """Hands AttemptStarted to the committer. None when the send may not or cannot start now."""
        now, view = self._clock.latest(), self._permissions.view
        may_start = not self.are_over and view.may_start(send.campaign, send.server, now)
        if not may_start or self._permissions.is_stale(send.person_number, send.read_at):
            self.planned.release(send.key)
            return None
        if send.not_mailable is not None:
            self.outbox.record([facts.suppressed(send, send.not_mailable, self._actor).entry()], send)
            return None
        try:
            skeleton = self._permissions.skeleton(send.campaign, send.server)
        except MessageError as error:
            self._not_through_here(send, str(error))
            return None
        limits = view.limits[send.server]
        reservation = self._reservations.take(send.server, limits, now) if skeleton else None
        if skeleton is None or reservation is None:
            self.planned.release(send.key)
            return None
        attempt = self._prepared(send, skeleton, reservation, connection)
        if attempt is not None:
            self.outbox.submit(
                [facts.started(attempt, self._actor)], partial(self._started, attempt, on_committed)
            )
        return attempt

    def _prepared(
        self, send: Send, skeleton: Skeleton, reservation: Reservation, connection: Connection
    ) -> Attempt | None:
        """The message made and the attempt in the flight record. None when there is no such message, or not
        through this server."""
        try:
            message = skeleton.message(send.person, self._clock.now(), send.id_domain)
            address = skeleton.envelope_to(send.person)
            transaction = connection.transaction(skeleton.envelope_from, address, message)
        except Exception as error:  # noqa: BLE001  # It ends this delivery, not the dispatcher.
            self._reservations.give_back(reservation)
            self.outbox.record(
                [facts.unmakeable(send, _why_unmakeable(send, error), self._actor).entry()], send
            )
            return None
        if transaction.outcome is not None:
            self._reservations.give_back(reservation)
            self._not_through_here(send, transaction.outcome.text)
            return None
        stream = delivery_stream_bytes(send.campaign, send.recipient)
        attempt = Attempt(send, stream, reservation, transaction)
        attempt.slot = self.recorder.start(stream, attempt.version, reservation.version, send.server)
        servers = self._permissions.view.servers
        if send.id_domain is None and skeleton.from_domain != servers[send.server].first_domain:
            attempt.id_domain = skeleton.from_domain
        return attempt

    def _not_through_here(self, send: Send, obstacle: str) -> None:
        """This server cannot take the message: another one shall, if there is one."""
        self.planned.cannot_take(send.server, send.key)
        if self._permissions.servers_for(send.campaign) <= self.planned.unfit(send.key):
            self.outbox.record([facts.unmakeable(send, obstacle, self._actor).entry()], send)
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
        fact = facts.put_back(attempt, f"not offered: {reason}", self._clock.seconds(), self._actor)
        self.outbox.record([fact.entry()], attempt.send, attempt.slot)

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
            self._conclude(attempt, facts.accepted(attempt, outcome.text, self._actor), outcome)
        elif outcome.is_unknown:
            self._unknown(attempt, outcome.text, now)
            self._break(pool, outcome)
        else:
            self._refused(attempt, pool, outcome, served, now)
        return outcome.connection_usable

    def _refused(
        self, attempt: Attempt, pool: ConnectionPool, outcome: Outcome, served: int, now: float
    ) -> None:
        send, told = attempt.send, _verdict(outcome.code, outcome.text, outcome.stage)
        provoked = is_provoked(told, outcome.stage)
        verdict = weigh(told, outcome.stage, send.provoked)
        if served and _was_given_up(outcome):
            fact: Fact = facts.put_back(attempt, outcome.text, now, self._actor)
            pool.closed_after(served)
        elif verdict.about is About.SERVER:
            fact = facts.put_back(attempt, outcome.text, now, self._actor, provoked=provoked)
            if not provoked or pool.is_blamed_by(send.key):
                self._trouble(pool, verdict, fact.reply)
        else:
            policy, jitter = self._permissions.view.policy, random.random()  # noqa: S311
            fact = facts.refused(
                send, verdict, outcome.text, now, policy, jitter, self._actor, provoked=provoked
            )
            self._break(pool, outcome)
        self._conclude(attempt, fact.entry(), outcome)

    def _conclude(self, attempt: Attempt, entry: Entry, outcome: Outcome) -> None:
        """The flight record has it first: between there and the log the processor may die."""
        self.recorder.ended(attempt.slot, entry[2], entry[3], dot_sent=outcome.dot_sent)
        self.outbox.record([entry], attempt.send, attempt.slot)

    def _break(self, pool: ConnectionPool, outcome: Outcome) -> None:
        """One connection that breaks says nothing of the server; that none lasts does: it would use up the
        attempts of one e-mail after the other, or leave them all unknown."""
        if outcome.code is not None:
            pool.breaks = 0
        elif pool.has_broken_too_often():
            self._trouble(pool, UNREACHABLE, sanitise(outcome.text, ""))

    def _unknown(self, attempt: Attempt, reason: str, now: float) -> None:
        send, policy = attempt.send, self._permissions.view.policy
        told: list[Fact] = [facts.unknown(attempt, reason, self._actor)]
        if policy.resend_unknown and not self._permissions.is_cancelled(send.campaign):
            again = facts.resent(attempt, now, policy, random.random(), self._actor)  # noqa: S311
            told += [again] if again else []
        self.outbox.record([fact.entry() for fact in told], send, attempt.slot)

    def suspend_for_connect(self, pool: ConnectionPool, error: TransportError) -> None:
        verdict = _verdict(error.code, error.text, error.stage)
        self._trouble(pool, verdict._replace(transient=error.transient), sanitise(error.text, ""))

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


def _why_unmakeable(send: Send, error: Exception) -> str:
    """Whatever it is, but for a MessageError only its kind: an error may quote what it choked on."""
    if isinstance(error, MessageError):
        return str(error)
    kind = type(error).__name__
    log.error("the message of %s:%s could not be made: %s", *send.key, kind)
    return f"the message cannot be made ({kind})"


def _was_given_up(outcome: Outcome) -> bool:
    """Of a reused connection: the server had closed it or says so now, and never saw this e-mail. When
    it is in trouble indeed, it will tell the next connection so."""
    is_closing = outcome.code == 421 and outcome.stage is Stage.MAIL
    return is_closing or (outcome.code is None and not outcome.replied)


def _verdict(code: int | None, text: str, stage: Stage) -> Verdict:
    return UNREACHABLE if code is None else classify(code, text, stage)
