"""How urgent a campaign is."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """In the order in which campaigns are served."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
