"""Which servers take e-mails now, what each has left, and why the others take none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.streams import server_stream
from domain.waiting import Gate, Waiting


@dataclass(frozen=True, kw_only=True)
class Availability:
    """A server at one moment. `closed` is None when it takes e-mails. A limit of 0 (daily) or None
    (rolling) is no limit; what remains of it is None then. `rolling_span` is in seconds."""

    number: int
    name: str
    from_email: str
    enabled: bool
    closed: Waiting | None
    daily_limit: int
    daily_used: int
    rolling_limit: int | None = None
    rolling_used: int = 0
    rolling_span: int = 0
    sent_today: int = 0
    failed_today: int = 0

    @property
    def uuid(self) -> UUID:
        return server_stream(self.number)

    @property
    def available(self) -> bool:
        return self.closed is None

    @property
    def daily_remaining(self) -> int | None:
        return max(0, self.daily_limit - self.daily_used) if self.daily_limit else None

    @property
    def rolling_remaining(self) -> int | None:
        return None if self.rolling_limit is None else max(0, self.rolling_limit - self.rolling_used)

    @property
    def gate(self) -> Gate:
        return Gate(server=self.number, name=self.name, closed=self.closed)


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """`opens` is when the sending calendar next allows an attempt: `now` when it does, None for never."""

    now: datetime
    timezone: str
    opens: datetime | None
    servers: list[Availability]
