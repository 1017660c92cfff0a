"""How a sink behaves: what it offers, whom it lets in, and where it misbehaves on purpose."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Step = Literal["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset"]


@dataclass(frozen=True)
class SinkRule:
    """What happens at `step` in place of the usual: wait `delay` seconds, then answer `reply`, or hang up
    without an answer when `drop`. With neither, the usual answer. With `closes_in` nothing more is read after
    the answer, and the connection is closed so many seconds later.

    `recipient` limits it to recipients that this pattern is found in (at rcpt, data and dot), `times` to so
    many occasions. `keeps` says whether a message at dot is kept; None: when the answer is 2xx.
    """

    step: Step
    reply: str | None = None
    delay: float = 0.0
    drop: bool = False
    recipient: str | None = None
    times: int | None = None
    keeps: bool | None = None
    closes_in: float | None = None


@dataclass(frozen=True)
class Behaviour:
    """`users` are those who may sign in; None lets everybody send. `context` is needed for STARTTLS and TLS.
    `size_limit` is in bytes, None for no SIZE. `latency` is seconds before anything that came in is read.
    `most_connections` are taken at a time, further ones turned away with 421; None: any number.
    `most_messages` are taken on a connection, which is then closed without a word."""

    name: str = "sink.invalid"
    pipelining: bool = True
    eight_bit: bool = True
    smtputf8: bool = True
    size_limit: int | None = 50_000_000
    tls: Literal["none", "STARTTLS", "TLS"] = "none"
    context: ssl.SSLContext | None = None
    users: Mapping[str, str] | None = None
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN", "CRAM-MD5")
    latency: float = 0.0
    most_connections: int | None = None
    most_messages: int | None = None
    rules: tuple[SinkRule, ...] = ()

    def __post_init__(self) -> None:
        if self.tls != "none" and self.context is None:
            raise ValueError(f"{self.tls} needs a context with a certificate")

    def extensions(self, *, is_encrypted: bool) -> list[str]:
        """The lines after the first in the answer to EHLO."""
        offered = ["ENHANCEDSTATUSCODES"]
        if self.pipelining:
            offered.append("PIPELINING")
        if self.eight_bit:
            offered.append("8BITMIME")
        if self.smtputf8:
            offered.append("SMTPUTF8")
        if self.size_limit is not None:
            offered.append(f"SIZE {self.size_limit}")
        if self.tls == "STARTTLS" and not is_encrypted:
            offered.append("STARTTLS")
        elif self.users is not None:
            offered.append("AUTH " + " ".join(self.mechanisms))
        return offered


@dataclass
class Occasions:
    """Counts how often each rule has been used."""

    rules: tuple[SinkRule, ...]
    _used: dict[int, int] = field(default_factory=dict)

    def times_used(self, number: int = 0) -> int:
        """How often the rule of that place has applied."""
        return self._used.get(number, 0)

    def rule_at(self, step: Step, recipients: Iterable[str] = ()) -> SinkRule | None:
        """The first rule that applies now, which counts as used."""
        for number, rule in enumerate(self.rules):
            used = self.times_used(number)
            if rule.step != step or (rule.times is not None and used >= rule.times):
                continue
            pattern = rule.recipient
            if pattern is not None and not any(re.search(pattern, each) for each in recipients):
                continue
            self._used[number] = used + 1
            return rule
        return None
