"""What a server may still send: reservations against its daily and rolling limits, as facts.

A reservation is used for attempts until `until`, on the one local date `day`. Units that no attempt
used come back to both limits; units of attempts that certainly ended before the final dot come back
to the daily limit only, since the server was given them all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.fact import Fact


@dataclass(frozen=True, kw_only=True)
class Reserved(Fact):
    """`n` attempts on the local date `day` (YYYY-MM-DD), to be started before `until` (epoch seconds).
    A reservation is named by the version of its Reserved in the capacity stream."""

    TOPIC: ClassVar[str] = "capacity.reserved"
    n: int
    day: str
    until: float


@dataclass(frozen=True, kw_only=True)
class Returned(Fact):
    """Closes a reservation, at most once: no attempt names it any more. `at` is when (epoch seconds)."""

    TOPIC: ClassVar[str] = "capacity.returned"
    reservation: int
    at: float
    unused: int = 0
    refused: int = 0
