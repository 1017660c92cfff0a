"""What becomes of a delivery whose processor died in the middle of an attempt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from domain.delivery.delivery import (
    BY_POLICY,
    About,
    Accepted,
    AttemptStarted,
    Deferred,
    Delivery,
    Failed,
    OutcomeUnknown,
    Requeued,
)
from domain.delivery.retry import RetryPolicy, next_try
from domain.fact import Fact

MAYBE_SENT = "the processor died before the outcome was recorded"
NOT_SENT = "not sent: the processor died before the message was handed over"
GIVEN_UP = "given up: a processor died {times} times while it was sending this e-mail"

Heard = Accepted | Deferred | Failed


@dataclass(frozen=True)
class Trace:
    """What a processor left behind of an attempt, besides the log. `dot_sent` is whether a byte of the dot
    that ends the message may have left the process; `heard` is what it was about to record."""

    dot_sent: bool
    heard: Heard | None = None


@dataclass(frozen=True)
class Resumption:
    """Who takes the delivery over, when (epoch seconds) and by which rules. `jitter` is in [0, 1).
    `may_resend` is whether an e-mail that may have gone out may be sent again."""

    by: str
    now: float
    policy: RetryPolicy
    jitter: float
    may_resend: bool


def outcome(delivery: Delivery, started: AttemptStarted, trace: Trace | None, to: Resumption) -> list[Fact]:
    """The facts that end the attempt `started`, the last one of the delivery; `trace` None when nothing is
    known of it but that it was started."""
    stream, version = started.originator_id, started.originator_version + 1
    if trace is not None and trace.heard is not None:
        return [replace(trace.heard, originator_id=stream, originator_version=version, by=to.by)]
    if trace is not None and not trace.dot_sent:
        return [_not_sent(delivery, started, to)]
    unknown = OutcomeUnknown(
        originator_id=stream, originator_version=version, by=to.by, server=started.server, reason=MAYBE_SENT
    )
    again = _again(delivery, to) if to.may_resend else None
    return [unknown] if again is None else [unknown, _resent(stream, version + 1, again, to)]


def _not_sent(delivery: Delivery, started: AttemptStarted, to: Resumption) -> Deferred | Failed:
    """The first time it goes at once, since a processor's death is rarely the e-mail's doing. One that kills
    each processor that tries it comes ever later, and not for ever."""
    stream, version = started.originator_id, started.originator_version + 1
    again = _again(delivery, to) if delivery.deaths else to.now
    if again is None:
        return Failed(
            originator_id=stream, originator_version=version, by=to.by, server=started.server,
            reply=GIVEN_UP.format(times=delivery.deaths + 1), about=About.PROCESSOR.value,
        )  # fmt: skip
    return Deferred(
        originator_id=stream, originator_version=version, by=to.by, server=started.server,
        reply=NOT_SENT, about=About.PROCESSOR.value, again=round(again, 3),
    )  # fmt: skip


def _resent(stream: UUID, version: int, again: float, to: Resumption) -> Requeued:
    return Requeued(
        originator_id=stream, originator_version=version, by=to.by, reason=BY_POLICY, again=round(again, 3)
    )


def _again(delivery: Delivery, to: Resumption) -> float | None:
    """As often, and as late, as a temporary refusal is tried again."""
    return next_try(delivery.deaths + 1, to.now, to.now, to.policy, to.jitter)
