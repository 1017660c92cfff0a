"""One attempt: from the reserved unit to the fact that says how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from application.reservation import Reservation
from domain.delivery.about import About
from domain.delivery.delivery import Accepted, AttemptStarted, Deferred, Failed, OutcomeUnknown, Suppressed
from domain.delivery.interrupted import Resumption, with_resending
from domain.delivery.reply import Verdict, sanitise
from domain.delivery.retry import RetryPolicy, after_refusal
from domain.fact import Fact
from domain.streams import delivery_stream, delivery_stream_bytes
from mail.smtp.transaction import Transaction
from processor.planner.send import Send
from processor.recovery.flight_recorder import NO_SLOT
from storage.log.entries import Entry


@dataclass(eq=False, slots=True)
class Attempt:
    """`deadline` is the second, by the steady clock, by which the server has to answer the present stage;
    `id_domain` the Message-ID's domain where this attempt has to say it; `slot` its place in the flight
    record."""

    send: Send
    reservation: Reservation
    transaction: Transaction
    deadline: float = 0.0
    id_domain: str | None = None
    slot: int = NO_SLOT
    stream: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.stream = delivery_stream_bytes(self.send.campaign, self.send.recipient)

    @property
    def version(self) -> int:
        return self.send.version + 1

    @property
    def address(self) -> str:
        return self.send.person.email


def started(attempt: Attempt, by: str) -> Entry:
    send = attempt.send
    state = AttemptStarted.state_of(
        by, send.server, attempt.reservation.version, send.remaining, attempt.id_domain
    )
    return attempt.stream, send.version + 1, AttemptStarted.TOPIC, state.encode()


def accepted(attempt: Attempt, reply: str, code: int | None, by: str) -> Entry:
    send = attempt.send
    state = Accepted.state_of(by, send.server, sanitise(reply, send.person.email), code)
    return attempt.stream, send.version + 2, Accepted.TOPIC, state.encode()


def unknown(attempt: Attempt, reason: str, to: Resumption) -> list[Fact]:
    told = OutcomeUnknown(
        originator_id=UUID(bytes=attempt.stream),
        originator_version=attempt.version + 1,
        by=to.by,
        server=attempt.send.server,
        reason=sanitise(reason, attempt.address),
    )
    return with_resending(told, attempt.send.interruptions + 1, to)


def put_back(
    send: Send, reply: str, again: float, by: str,
    *, about: About = About.SERVER, code: int | None = None, provoked: bool = False
) -> Deferred:  # fmt: skip
    """Where `about` is not given, the e-mail is untouched: it was nobody's fault but the server's, or it was
    not even offered."""
    return Deferred(
        originator_id=delivery_stream(send.campaign, send.recipient),
        originator_version=send.version + 2,
        by=by,
        server=send.server,
        reply=sanitise(reply, send.person.email),
        about=about.value,
        again=round(again, 3),
        provoked=provoked,
        code=code,
    )


def refused(
    send: Send, verdict: Verdict, reply: str, now: float, retry: RetryPolicy, jitter: float, by: str,
    *, code: int | None, provoked: bool = False
) -> Deferred | Failed:  # fmt: skip
    """A refusal of the e-mail: tried again later while it is transient and the retries last."""
    again = after_refusal(verdict, send.attempts + 1, send.first_failed_at or now, now, retry, jitter)
    if again is None:
        return Failed(
            originator_id=delivery_stream(send.campaign, send.recipient),
            originator_version=send.version + 2,
            by=by,
            reply=sanitise(reply, send.person.email),
            about=verdict.about.value,
            server=send.server,
            code=code,
        )
    return put_back(send, reply, again, by, about=verdict.about, code=code, provoked=provoked)


def suppressed(send: Send, reason: str, by: str) -> Suppressed:
    return Suppressed(
        originator_id=delivery_stream(send.campaign, send.recipient),
        originator_version=send.version + 1,
        by=by,
        reason=reason,
    )


def unmakeable(send: Send, reason: str, by: str) -> Fact:
    """The message could not be made for this person: failed without asking any server."""
    return Failed(
        originator_id=delivery_stream(send.campaign, send.recipient),
        originator_version=send.version + 1,
        by=by,
        reply=sanitise(reason, send.person.email),
        about=About.MESSAGE.value,
    )
