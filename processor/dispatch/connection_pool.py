"""A lane: one server's open connections (lines) and the sends that wait for one of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import Connection
from processor.dispatch.attempt import Attempt
from processor.planner.send import Send

CONNECTIONS_AT_FIRST = 2
"""A lane starts narrow and doubles with every accepted e-mail, up to the server's max_conns, so that a
server that has just been in trouble is probed by few."""

LOOKAHEAD_SECONDS = 1.0
"""How long the sends handed to a lane should last: short enough that a choice of server is never old."""

MOST_BREAKS = 5
"""So many attempts in a row that end without a reply are the server's trouble and not the e-mails'."""

CAP_SECONDS = 60.0
"""How long to make do with the connections that a server took, before it is asked for more again."""


@dataclass(frozen=True)
class Wanted:
    """What a server's settings say of its connections; `idle_timeout` in seconds."""

    max_conns: int
    idle_timeout: float
    smtp: SmtpSettings


@dataclass(eq=False)
class Line:
    lane: Lane
    connection: Connection
    smtp: SmtpSettings | None = None
    attempt: Attempt | None = None
    idle_since: float = 0.0
    has_served: bool = False
    is_writing: bool = False
    is_open: bool = True


@dataclass(eq=False)
class Lane:
    """All in the dispatcher's thread, but for `handed`, which counts the sends that a planner has given;
    `arrived` counts those of them that are in `waiting` or beyond."""

    server: int
    max_conns: int = 1
    idle_timeout: float = 15.0
    smtp: SmtpSettings | None = None
    waiting: deque[Send] = field(default_factory=deque)
    lines: set[Line] = field(default_factory=set)
    idle: list[Line] = field(default_factory=list)
    opening: int = 0
    width: int = CONNECTIONS_AT_FIRST
    failures: int = 0
    breaks: int = 0
    rate: float = 0.0
    handed: int = 0
    arrived: int = 0
    _ended: int = 0
    _cap: int | None = None
    _capped_until: float = 0.0

    @property
    def most(self) -> int:
        """How many connections it may have now."""
        allowed = min(self.width, self.max_conns)
        return allowed if self._cap is None else min(allowed, self._cap)

    def connections_wanted(self) -> int:
        """How many more connections to open now."""
        room = self.most - len(self.lines) - self.opening
        return max(0, min(room, len(self.waiting) - len(self.idle) - self.opening))

    def cap(self, now: float) -> None:
        """The server takes no more connections than are open: some take fewer than they are set up for."""
        self._cap, self._capped_until = max(1, len(self.lines)), now + CAP_SECONDS

    def uncap(self, now: float) -> None:
        """Once the time has come to ask for more."""
        if now >= self._capped_until:
            self._cap = None

    def keeps(self, line: Line) -> bool:
        """Whether a free line is one that the settings still allow."""
        return len(self.lines) <= self.max_conns and (line.smtp is self.smtp or line.smtp == self.smtp)

    def backlog(self) -> int:
        """Sends that were given to the lane and have not begun."""
        return len(self.waiting) + self.handed - self.arrived

    def room(self) -> int:
        """How many more sends the lane can take: what it ends in LOOKAHEAD_SECONDS, and two a connection."""
        return max(0, self._depth() - self.backlog())

    def _depth(self) -> int:
        return max(2 * self.most, int(self.rate * LOOKAHEAD_SECONDS))

    def is_hungry(self) -> bool:
        """Whether it should be given more soon: most of what it was given has begun."""
        return 2 * len(self.waiting) + self.backlog() <= self._depth()

    def widen(self) -> None:
        self.failures = self.breaks = 0
        self._ended += 1
        if self.width < self.max_conns:
            self.width = min(2 * self.width, self.max_conns)

    def narrow(self) -> None:
        self.failures += 1
        self.width = CONNECTIONS_AT_FIRST

    def has_broken_too_often(self) -> bool:
        """To be asked after each attempt that ended without a reply."""
        self.width = CONNECTIONS_AT_FIRST
        self.breaks += 1
        return self.breaks >= MOST_BREAKS

    def measure(self, seconds: float) -> None:
        """Updates the rate of accepted e-mails a second, which rises at once and falls smoothly; called about
        once a second."""
        latest = self._ended / seconds
        self.rate = max(latest, (self.rate + latest) / 2)
        self._ended = 0
