"""A delivery: one campaign to one recipient, as the facts in its stream.

`sent` means that a relay answered 250 after the final dot: accepted by the relay. Times that a
fact names are seconds since the epoch, UTC. No fact holds an address: a reply that quotes one is
recorded with `<recipient>` in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from domain.fact import Fact


class Status(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"


class About(StrEnum):
    """Whom a refusal speaks of, which decides what is tried next."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    SERVER = "server"
    NETWORK = "network"


@dataclass(frozen=True, kw_only=True)
class AttemptStarted(Fact):
    """Committed before MAIL FROM. `reservation` is the version of Reserved in the server's capacity
    stream; `remaining` is the server's capacity when it was chosen, None for an unlimited one alone."""

    TOPIC: ClassVar[str] = "delivery.attempt_started"
    server: int
    reservation: int
    remaining: int | None = None


@dataclass(frozen=True, kw_only=True)
class Accepted(Fact):
    TOPIC: ClassVar[str] = "delivery.accepted"
    server: int
    reply: str


@dataclass(frozen=True, kw_only=True)
class Deferred(Fact):
    """To be tried again at `again`. When `about` is `server`, the e-mail itself is untouched and the
    attempt does not count against it."""

    TOPIC: ClassVar[str] = "delivery.deferred"
    server: int
    reply: str
    about: str
    again: float


@dataclass(frozen=True, kw_only=True)
class Failed(Fact):
    """`server` is None when no server was asked (the message could not be made)."""

    TOPIC: ClassVar[str] = "delivery.failed"
    reply: str
    about: str
    server: int | None = None


@dataclass(frozen=True, kw_only=True)
class OutcomeUnknown(Fact):
    """The data may have gone out and no answer is known. Never sent again without a decision."""

    TOPIC: ClassVar[str] = "delivery.outcome_unknown"
    server: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Suppressed(Fact):
    """`reason` is blocklisted, disabled, unsubscribed or erased."""

    TOPIC: ClassVar[str] = "delivery.suppressed"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Cancelled(Fact):
    TOPIC: ClassVar[str] = "delivery.cancelled"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Requeued(Fact):
    TOPIC: ClassVar[str] = "delivery.requeued"
    reason: str
