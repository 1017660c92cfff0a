"""What a processor does not get done: a job that fails again and again, or a part that keeps ending it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ENOUGH = 3
"""Failures in a row that are no accident."""

START = "start"

_NAMES = {
    "send": "planning",
    "permissions": "reading what may be sent",
    "campaigns": "starting, queueing and finishing campaigns",
    "suspend": "recording that a server is suspended",
    "recovery": "recovery after other processors",
    "follower": "following the log",
    START: "starting",
}
HOLDS_UP_ALL = frozenset({"send", "permissions", "dispatcher", "listener", "follower", START})
"""Without these a processor sends nothing."""


@dataclass(frozen=True)
class FailingJob:
    """`failures` in a row, the first one at `since` (UTC). `error` is the class of the last error, whose text
    may hold personal data."""

    job: str
    failures: int
    error: str
    since: datetime

    @property
    def holds_up_all(self) -> bool:
        """Whether its processor sends nothing without it."""
        return self.job in HOLDS_UP_ALL

    def __str__(self) -> str:
        since = f"{self.since:%Y-%m-%dT%H:%M:%SZ}"
        return f"{_NAMES.get(self.job, self.job)} failed {self.failures} times since {since} ({self.error})"
