"""What becomes of a delivery whose attempt was interrupted: its processor died, or no answer to it came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from domain.delivery.about import About
from domain.delivery.delivery import (
    BY_POLICY,
    Accepted,
    AttemptStarted,
    Deferred,
    Delivery,
    Failed,
    OutcomeUnknown,
    Requeued,
)
from domain.delivery.retry import RetryPolicy, next_attempt_at
from domain.fact import Fact

MAYBE_SENT = "the processor died before the outcome was recorded"
NOT_SENT = "not sent: the processor died before the message was handed over"
GIVEN_UP = "given up: its attempts were interrupted {times} times, by dying processors or lost connections"

Heard = Accepted | Deferred | Failed


class ResendPolicy(RetryPolicy, Protocol):
    @property
    def resend_unknown(self) -> bool: ...


class NotResent(StrEnum):
    """Why a delivery of unknown outcome is not sent again by policy."""

    OFF = "off"
    CANCELLED = "cancelled"
    GIVEN_UP = "given_up"


@dataclass(frozen=True)
class Trace:
    """What a processor left behind of an attempt, besides the log. `dot_sent` is whether a byte of the dot
    that ends the message may have left the process; `heard` is what it was about to record."""

    dot_sent: bool
    heard: Heard | None = None


@dataclass(frozen=True)
class Resumption:
    """Who decides what becomes of the delivery, when (epoch seconds) and by which rules. `jitter` is in
    [0, 1); `is_cancelled` is whether its campaign is."""

    by: str
    now: float
    policy: ResendPolicy
    jitter: float
    is_cancelled: bool


def outcome(delivery: Delivery, started: AttemptStarted, trace: Trace | None, to: Resumption) -> list[Fact]:
    """The facts that end the attempt `started`, the last one of the delivery, after its processor's death;
    `trace` None when nothing is known of it but that it was started."""
    stream, version = started.originator_id, started.originator_version + 1
    if trace is not None and trace.heard is not None:
        return [replace(trace.heard, originator_id=stream, originator_version=version, by=to.by)]
    interruptions = delivery.interruptions + 1
    if trace is not None and not trace.dot_sent:
        return [_not_sent(started, interruptions, to)]
    unknown = OutcomeUnknown(
        originator_id=stream, originator_version=version, by=to.by, server=started.server, reason=MAYBE_SENT
    )
    return with_resending(unknown, interruptions, to)


def with_resending(unknown: OutcomeUnknown, interruptions: int, to: Resumption) -> list[Fact]:
    """And what policy has follow. `interruptions` is how many there were since a person last put the delivery
    in the queue, this one among them."""
    if why_not_resent(interruptions, to.policy, is_cancelled=to.is_cancelled) is not None:
        return [unknown]
    return [
        unknown,
        Requeued(
            originator_id=unknown.originator_id, originator_version=unknown.originator_version + 1, by=to.by,
            reason=BY_POLICY, again=_again(interruptions, to.policy, to.now, to.jitter),
        ),
    ]  # fmt: skip


def why_not_resent(interruptions: int, policy: ResendPolicy, *, is_cancelled: bool) -> NotResent | None:
    """Of a delivery whose outcome is unknown after so many interruptions; None when it is sent again."""
    if is_cancelled:
        return NotResent.CANCELLED
    if not policy.resend_unknown:
        return NotResent.OFF
    return NotResent.GIVEN_UP if _again(interruptions, policy) is None else None


def _not_sent(started: AttemptStarted, interruptions: int, to: Resumption) -> Deferred | Failed:
    """The first time it goes at once, since a processor's death is rarely the e-mail's doing. One that kills
    each processor that tries it comes ever later, and not for ever."""
    stream, version = started.originator_id, started.originator_version + 1
    again = _again(interruptions, to.policy, to.now, to.jitter) if interruptions > 1 else to.now
    if again is None:
        return Failed(
            originator_id=stream, originator_version=version, by=to.by, server=started.server,
            reply=GIVEN_UP.format(times=interruptions), about=About.PROCESSOR.value,
        )  # fmt: skip
    return Deferred(
        originator_id=stream, originator_version=version, by=to.by, server=started.server,
        reply=NOT_SENT, about=About.PROCESSOR.value, again=again,
    )  # fmt: skip


def _again(interruptions: int, policy: RetryPolicy, now: float = 0.0, jitter: float = 0.0) -> float | None:
    """As often, and as late, as a temporary refusal is tried again."""
    again = next_attempt_at(interruptions, now, now, policy, jitter)
    return None if again is None else round(again, 3)
