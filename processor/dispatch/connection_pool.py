"""A connection pool: one server's open connections and the sends that wait for one of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from domain.server.settings import ServerSettings
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import Connection
from processor.dispatch.attempt import Attempt
from processor.planner.send import Send

CONNECTIONS_AT_FIRST = 2
"""A pool starts narrow and doubles with every accepted e-mail, up to the server's max_conns, so that a
server that has just been in trouble is probed by few."""

LOOKAHEAD_SECONDS = 1.0
"""How long the sends handed to a pool should last: short enough that a choice of server is never old."""

MOST_BREAKS = 5
"""So many attempts in a row that end without a reply are the server's trouble and not the e-mails'."""

CAP_SECONDS = 60.0
"""How long to make do with the connections that a server took, before it is asked for more again."""

ALLOWANCE_SECONDS = 600.0
"""How long to end connections ourselves after as many e-mails as the server ended them after."""


@dataclass(frozen=True)
class PoolSettings:
    """What a server's settings say of its connections; `idle_timeout` in seconds."""

    max_conns: int
    idle_timeout: float
    smtp: SmtpSettings

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, settings: ServerSettings) -> PoolSettings:
        return cls(settings.max_conns, float(settings.idle_timeout), SmtpSettings.of(settings.as_dict()))


@dataclass(eq=False)
class PooledConnection:
    pool: ConnectionPool
    connection: Connection
    smtp: SmtpSettings | None = None
    attempt: Attempt | None = None
    idle_since: float = 0.0
    served: int = 0
    is_writing: bool = False
    is_open: bool = True


@dataclass(eq=False)
class ConnectionPool:
    """All in the dispatcher's thread, but for `handed`, which counts the sends that a planner has given;
    `arrived` counts those of them that are in `waiting` or beyond. `witness` is the one e-mail that the
    server has refused because of itself since it accepted the last one, once it knew whom the e-mail was for.
    While it `is_slow`, it is given what can begin at once."""

    server: int
    max_conns: int = 1
    idle_timeout: float = 15.0
    smtp: SmtpSettings | None = None
    waiting: deque[Send] = field(default_factory=deque)
    connections: set[PooledConnection] = field(default_factory=set)
    idle: list[PooledConnection] = field(default_factory=list)
    opening: int = 0
    width: int = CONNECTIONS_AT_FIRST
    failures: int = 0
    breaks: int = 0
    witness: tuple[int, int] | None = None
    is_slow: bool = False
    rate: float = 0.0
    handed: int = 0
    arrived: int = 0
    _ended: int = 0
    _cap: int | None = None
    _capped_until: float = 0.0
    _begun_before: int = 0
    _arrived_before: tuple[int, int] = (0, 0)
    _closed_after: int = 0
    _allowance: int | None = None
    _allowed_for: float = 0.0

    @property
    def most(self) -> int:
        """How many connections it may have now."""
        allowed = min(self.width, self.max_conns)
        return allowed if self._cap is None else min(allowed, self._cap)

    def connections_wanted(self) -> int:
        """How many more connections to open now."""
        more = self.most - len(self.connections) - self.opening
        return max(0, min(more, len(self.waiting) - len(self.idle) - self.opening))

    def cap(self, now: float) -> None:
        """The server takes no more connections than are open: some take fewer than they are set up for."""
        self._cap, self._capped_until = max(1, len(self.connections)), now + CAP_SECONDS

    def uncap(self, now: float) -> None:
        """Once the time has come to ask for more."""
        if now >= self._capped_until:
            self._cap = None

    def closed_after(self, served: int) -> None:
        """The server closed a connection that had carried so many e-mails. Twice the same number in a row is
        what it allows: from then on connections are ended here before the server does it amid an attempt."""
        if served == self._closed_after:
            self._allowance = served
        self._closed_after, self._allowed_for = served, ALLOWANCE_SECONDS

    @property
    def has_hung_up(self) -> bool:
        """Whether the server has lately closed connections that were in use."""
        return self._closed_after > 0

    def keeps(self, pooled: PooledConnection) -> bool:
        """Whether a free connection is one that the settings still allow, and the server."""
        return (
            len(self.connections) <= self.max_conns
            and (pooled.smtp is self.smtp or pooled.smtp == self.smtp)
            and (self._allowance is None or pooled.served < self._allowance)
        )

    def backlog(self) -> int:
        """Sends that were given to the pool and have not begun."""
        return len(self.waiting) + self.handed - self.arrived

    def remaining(self) -> int:
        """How many more sends the pool can take: what it ends in LOOKAHEAD_SECONDS, and two a connection."""
        return max(0, self._depth() - self.backlog())

    def _depth(self) -> int:
        return max(self._free() if self.is_slow else 2 * self.most, int(self.rate * LOOKAHEAD_SECONDS))

    def _free(self) -> int:
        """How many could begin at once, on connections that are idle or may be opened."""
        idle = len(self.idle)
        return max(idle, self.most - (len(self.connections) - idle) - self.opening)

    def is_hungry(self) -> bool:
        """Whether it should be given more soon: most of what it was given has begun."""
        return 2 * len(self.waiting) + self.backlog() <= self._depth() and self.remaining() > 0

    def falls_behind(self) -> bool:
        """To be asked once a second: whether it holds what another server could send. Nothing of what was
        there a second ago has begun, or not all of what was there two seconds ago."""
        begun = self.arrived - len(self.waiting)
        two_ago, one_ago = self._arrived_before
        stands_still = begun == self._begun_before and begun < one_ago
        self._begun_before, self._arrived_before = begun, (one_ago, self.arrived)
        return stands_still or begun < two_ago

    def waits_for_server(self) -> bool:
        """Whether it is not our own database, before which no attempt is offered, that all wait for."""
        return not self.connections or any(
            pooled.attempt and pooled.attempt.deadline for pooled in self.connections
        )

    def slow_down(self) -> None:
        """Until it is seen to end more than two e-mails a connection and second again."""
        self.is_slow, self.rate, self.width = True, 0.0, CONNECTIONS_AT_FIRST

    def is_blamed_by(self, key: tuple[int, int]) -> bool:
        """The server refused this e-mail because of itself, and knew whom it was for: whether it has treated
        another one so and accepted none since. Then it is the server's trouble and not the e-mail's."""
        if self.witness is None:
            self.witness = key
        return self.witness != key

    def widen(self) -> None:
        self.failures = self.breaks = 0
        self.witness = None
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
        self._allowed_for -= seconds
        if self._allowed_for <= 0:
            self._closed_after, self._allowance = 0, None
        latest = self._ended / seconds
        self.rate = max(latest, (self.rate + latest) / 2)
        self.is_slow = self.is_slow and self.rate * LOOKAHEAD_SECONDS < 2 * self.most
        self._ended = 0
