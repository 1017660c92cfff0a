"""A delivery: one campaign to one recipient, as the facts in its stream.

`sent` means that a relay answered 250 after the final dot: accepted by the relay. Times that a
fact names are seconds since the epoch, UTC. No fact holds an address: a reply that quotes one is
recorded with `<recipient>` in its place. `code` is the reply's (RFC 5321, section 4.2), None where no
server replied, and where a release that kept the text alone wrote the fact; `reply` begins with the
enhanced code (RFC 3463) where the server gave one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from json.encoder import encode_basestring
from typing import ClassVar, Self

from domain.delivery.about import UNTOUCHED, About
from domain.fact import Fact


class Status(StrEnum):
    """The states of a delivery, with the number that tables have for each: at most 255, and the same for
    ever; and with whether a relay has accepted it, None where nobody knows. Counters, columns, fields of the
    API, filters and labels follow from here."""

    number: int
    accepted: bool | None

    QUEUED = "queued", 0, False
    SENDING = "sending", 1, False
    SENT = "sent", 2, True
    FAILED = "failed", 3, False
    CANCELLED = "cancelled", 4, False
    UNKNOWN = "unknown", 5, None
    SUPPRESSED = "suppressed", 6, False

    def __new__(cls, name: str, number: int = -1, *accepted: bool | None) -> Self:
        """Of a name alone: the state that has it. Raises ValueError."""
        one = str.__new__(cls, name)
        one._value_ = name
        one.number = number
        (one.accepted,) = accepted
        return one

    @classmethod
    def of(cls, number: int) -> Status:
        """Raises KeyError."""
        return _BY_NUMBER[number]

    @property
    def has_gone_out(self) -> bool:
        """Somebody may have received it."""
        return self.accepted is not False

    @property
    def label(self) -> str:
        return self.value.capitalize()


_BY_NUMBER = {status.number: status for status in Status}


BY_POLICY = "policy"
"""The reason of a Requeued that nobody asked for."""


@dataclass(frozen=True, kw_only=True)
class AttemptStarted(Fact):
    """Committed before MAIL FROM. `reservation` is the version of Reserved in the server's capacity
    stream; `remaining` is the server's capacity when it was chosen, None for an unlimited one alone.
    `id_domain` is that of the Message-ID, named by the first attempt alone, where it is not the server's
    first (docs/decisions/0002-message-id.md)."""

    TOPIC: ClassVar[str] = "delivery.attempt_started"
    server: int
    reservation: int
    remaining: int | None = None
    id_domain: str | None = None

    def state(self) -> str:
        return self.state_of(self.by, self.server, self.reservation, self.remaining, self.id_domain)

    @staticmethod
    def state_of(
        by: str, server: int, reservation: int, remaining: int | None, id_domain: str | None = None
    ) -> str:
        """As every fact's, without the fact: there is one of these for each e-mail."""
        rest = "" if remaining is None else f',"remaining":{remaining}'
        if id_domain is not None:
            rest += f',"id_domain":{encode_basestring(id_domain)}'
        return f'{{"by":{encode_basestring(by)},"server":{server},"reservation":{reservation}{rest}}}'


@dataclass(frozen=True, kw_only=True)
class Accepted(Fact):
    TOPIC: ClassVar[str] = "delivery.accepted"
    server: int
    reply: str
    code: int | None = None

    def state(self) -> str:
        return self.state_of(self.by, self.server, self.reply, self.code)

    @staticmethod
    def state_of(by: str, server: int, reply: str, code: int | None) -> str:
        """As every fact's, without the fact: there is one of these for each e-mail."""
        rest = "" if code is None else f',"code":{code}'
        return f'{{"by":{encode_basestring(by)},"server":{server},"reply":{encode_basestring(reply)}{rest}}}'


@dataclass(frozen=True, kw_only=True)
class Deferred(Fact):
    """To be tried again at `again`. When `about` is one of UNTOUCHED, the e-mail itself is untouched and
    the attempt does not count against it. `provoked`: the server spoke of itself, but knew whom the e-mail
    was for, so that it may be the e-mail that it will not have (see domain.delivery.reply.weigh)."""

    TOPIC: ClassVar[str] = "delivery.deferred"
    server: int
    reply: str
    about: str
    again: float
    provoked: bool = False
    code: int | None = None


@dataclass(frozen=True, kw_only=True)
class Failed(Fact):
    """`server` is None when no server was asked (the message could not be made)."""

    TOPIC: ClassVar[str] = "delivery.failed"
    reply: str
    about: str
    server: int | None = None
    code: int | None = None


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
    """To be tried anew, at `again` or at once, also when it is deferred; what was counted
    before counts no more."""

    TOPIC: ClassVar[str] = "delivery.requeued"
    reason: str
    again: float | None = None

    @property
    def is_by_policy(self) -> bool:
        """Whoever puts it back by hand may give any reason, but no time."""
        return self.reason == BY_POLICY and self.again is not None


_TRANSITIONS: dict[tuple[Status, type[Fact]], Status] = {
    (Status.QUEUED, AttemptStarted): Status.SENDING,
    (Status.QUEUED, Failed): Status.FAILED,
    (Status.QUEUED, Suppressed): Status.SUPPRESSED,
    (Status.QUEUED, Cancelled): Status.CANCELLED,
    (Status.QUEUED, Requeued): Status.QUEUED,
    (Status.SENDING, Accepted): Status.SENT,
    (Status.SENDING, Deferred): Status.QUEUED,
    (Status.SENDING, Failed): Status.FAILED,
    (Status.SENDING, OutcomeUnknown): Status.UNKNOWN,
    (Status.UNKNOWN, Accepted): Status.SENT,
    (Status.UNKNOWN, Failed): Status.FAILED,
    (Status.UNKNOWN, Requeued): Status.QUEUED,
    (Status.FAILED, Requeued): Status.QUEUED,
    (Status.CANCELLED, Requeued): Status.QUEUED,
    (Status.SUPPRESSED, Requeued): Status.QUEUED,
}


FACTS: tuple[type[Fact], ...] = tuple(dict.fromkeys(fact for _, fact in _TRANSITIONS))
"""All that can be in a delivery's stream."""

NAMING_SERVERS = frozenset(
    fact.TOPIC for fact in FACTS if any(field.name == "server" for field in fields(fact))
)
"""The topics of those that tell which server it was."""


def _status_after() -> dict[str, Status]:
    found: dict[str, Status] = {}
    for (_, fact), status in _TRANSITIONS.items():
        if found.setdefault(fact.TOPIC, status) is not status:
            raise TypeError(f"what {fact.TOPIC} leads to depends on what was before: projections cannot tell")
    return found


STATUS_AFTER = _status_after()
"""What a delivery is after an event of that topic, whatever it was before."""


def may_follow(status: Status, fact: type[Fact]) -> bool:
    """Whether such a fact can follow for a delivery in that state."""
    return (status, fact) in _TRANSITIONS


def provoked_after(before: int, fact: Fact) -> int:
    """How often servers spoke of themselves that knew whom the delivery was for, since it was last put in the
    queue, when it was so often `before` this fact."""
    if isinstance(fact, Requeued):
        return 0
    return before + (isinstance(fact, Deferred) and fact.provoked)


def interruptions_after(before: int, fact: Fact) -> int:
    """How many attempts of a delivery were interrupted since a person last put it in the queue: the processor
    died, or the answer to the message never came. `before` is how many it was before this fact."""
    if isinstance(fact, Requeued) and not fact.is_by_policy:
        return 0
    is_one = isinstance(fact, OutcomeUnknown) or (
        isinstance(fact, Deferred) and fact.about == About.PROCESSOR
    )
    return before + is_one


class Delivery:
    """What the facts of one delivery come to.

    A recipient that was queued and has no fact yet is `queued`, at version 0. `attempts` are those
    that count towards giving up: not the ones that only told something of the server, and none
    from before the delivery was put back in the queue. For `interruptions` see `interruptions_after`.
    """

    def __init__(self) -> None:
        self.version = 0
        self.attempts = 0
        self.interruptions = 0
        self.provoked = 0
        self.server: int | None = None
        self.reply = ""
        self.first_failed_at: float | None = None
        self.again: float | None = None
        self.status = Status.QUEUED

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
        self.status = _TRANSITIONS[self.status, type(fact)]
        self.version = fact.originator_version
        self.again = None
        self.provoked = provoked_after(self.provoked, fact)
        self.interruptions = interruptions_after(self.interruptions, fact)
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
        if fact.about in UNTOUCHED:
            self.attempts -= 1
        elif self.first_failed_at is None:
            self.first_failed_at = recorded_at
