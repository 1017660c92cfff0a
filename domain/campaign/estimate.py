"""The estimate of a campaign when it was started, kept to be held against what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.fact import Fact


@dataclass(frozen=True, kw_only=True)
class Estimated(Fact):
    """`first` and `finish` are epoch seconds, None where no end was in sight; `days` is the number of days
    on which it was to go out. The last one before the start is what the campaign was started with."""

    TOPIC: ClassVar[str] = "campaign.estimated"
    recipients: int
    days: int
    first: float | None = None
    finish: float | None = None
