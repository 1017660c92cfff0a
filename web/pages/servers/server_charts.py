"""Charts of how servers have done: by the hour for two days, by the day for thirty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from application.dashboard.throughput import Interval
from web.pages.dashboard.chart import Chart, chart


@dataclass(frozen=True)
class Picture:
    """`form` is how the ticks are written: clock or day."""

    title: str
    chart: Chart
    form: str

    @property
    def spoken(self) -> str:
        return (
            f"{self.title}: {self.chart.accepted:,} accepted, {self.chart.deferred:,} deferred, "
            f"{self.chart.failed:,} failed."
        )

    @property
    def is_empty(self) -> bool:
        return not (self.chart.accepted or self.chart.deferred or self.chart.failed)


def last_hours(intervals: Sequence[Interval]) -> Picture:
    return Picture("Last 48 hours", chart(intervals, "hour"), "day")


def last_days(intervals: Sequence[Interval]) -> Picture:
    return Picture("Last 30 days", chart(intervals, "day"), "date")
