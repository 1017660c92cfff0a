"""The audience of a campaign: who was queued, as facts of up to 1,000 recipient numbers each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.fact import Fact

LARGEST_CHUNK = 1000


@dataclass(frozen=True, kw_only=True)
class RecipientsQueued(Fact):
    """`ranges` are closed intervals of recipient numbers, ascending, over all facts of the stream."""

    TOPIC: ClassVar[str] = "audience.recipients_queued"
    ranges: list[list[int]]
    count: int
