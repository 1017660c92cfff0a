"""How urgent a campaign is."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """In the order in which campaigns are served."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_RANKS: dict[str, int] = {priority: rank for rank, priority in enumerate(Priority)}


def rank_of(priority: str) -> int:
    """0 is served first."""
    return _RANKS[priority]
