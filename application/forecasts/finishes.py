"""When campaigns under way will be done, for pages that are made anew every second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from application.forecasts.audiences import Audiences
from application.forecasts.situations import situation

KEPT = timedelta(minutes=1)
NEVER = datetime.min.replace(tzinfo=UTC)


class KeptForecast(NamedTuple):
    at: datetime
    finish: datetime | None


class Finishes:
    """A forecast costs as much as the rest of the page, so each is kept for a while, and a call makes one
    at most: that of the campaign that was looked at longest ago."""

    def __init__(self) -> None:
        self._audiences = Audiences()
        self._kept: dict[int, KeptForecast] = {}

    def expected(self, cursor: Any, campaigns: Sequence[int], now: datetime) -> dict[int, datetime | None]:
        """Those of `campaigns` that were looked at."""
        self._kept = {number: one for number, one in self._kept.items() if number in campaigns}
        if campaigns:
            oldest = min(campaigns, key=self._looked_at)
            if oldest not in self._kept or now - self._looked_at(oldest) >= KEPT:
                finish = situation(cursor, oldest, now, self._audiences).forecast().finish
                self._kept[oldest] = KeptForecast(now, finish)
        return {number: one.finish for number, one in self._kept.items()}

    def _looked_at(self, campaign: int) -> datetime:
        return self._kept[campaign].at if campaign in self._kept else NEVER
