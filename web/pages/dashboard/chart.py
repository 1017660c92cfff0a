"""Geometry of bars and of the throughput chart, so that templates only write it down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from application.dashboard.throughput import Interval

THINNEST = 0.4
"""Per cent of a bar's width: what is there at all can be seen."""

GAP = 0.16
"""Between two bars of the chart, as a share of a bar's slot."""


@dataclass(frozen=True)
class Segment:
    """`x` and `width` in per cent of the bar."""

    tone: str
    x: float
    width: float


def stacked(parts: Iterable[tuple[str, int]], whole: int) -> list[Segment]:
    """One segment for each part that is not 0; together never wider than the bar."""
    shares = [(tone, max(THINNEST, 100 * count / whole)) for tone, count in parts if count > 0 and whole > 0]
    excess = max(1.0, sum(share for _, share in shares) / 100)
    segments, x = [], 0.0
    for tone, share in shares:
        segments.append(Segment(tone, round(x, 3), round(share / excess, 3)))
        x += share / excess
    return segments


@dataclass(frozen=True)
class Piece:
    tone: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    at: datetime
    slot: int
    said: str
    pieces: list[Piece]

    @property
    def x(self) -> float:
        return self.slot + GAP / 2

    @property
    def width(self) -> float:
        return 1 - GAP


@dataclass(frozen=True)
class Chart:
    """A view box as wide as there are bars and 100 high; `top` is what 100 stands for."""

    bars: list[Bar]
    top: int
    step: str
    ticks: list[datetime]
    accepted: int
    deferred: int
    failed: int

    @property
    def middle(self) -> str:
        return f"{self.top / 2:,g}"

    @property
    def spoken(self) -> str:
        return (
            f"In the last 15 minutes: {self.accepted:,} accepted, {self.deferred:,} deferred, "
            f"{self.failed:,} failed."
        )


def chart(intervals: Sequence[Interval], step: str) -> Chart:
    top = round_up(max((one.accepted + one.deferred + one.failed for one in intervals), default=0))
    third = max(1, len(intervals) // 3)
    return Chart(
        bars=[bar(slot, interval, top) for slot, interval in enumerate(intervals)],
        top=top,
        step=step,
        ticks=[*[interval.at for interval in intervals[::third]][:3], *[one.at for one in intervals[-1:]]],
        accepted=sum(interval.accepted for interval in intervals),
        deferred=sum(interval.deferred for interval in intervals),
        failed=sum(interval.failed for interval in intervals),
    )


def bar(slot: int, interval: Interval, top: int) -> Bar:
    pieces, y = [], 100.0
    for tone, count in (
        ("sent", interval.accepted),
        ("deferred", interval.deferred),
        ("failed", interval.failed),
    ):
        height = 100 * count / top
        y -= height
        if count:
            pieces.append(Piece(tone, round(y, 2), round(height, 2)))
    said = f"{interval.accepted:,} accepted"
    said += f", {interval.deferred:,} deferred" if interval.deferred else ""
    said += f", {interval.failed:,} failed" if interval.failed else ""
    return Bar(interval.at, slot, said, pieces)


def round_up(peak: int) -> int:
    """The next of 4, 6, 8, 10, 12, 16, 20, 24, 30, 40, 60, …: what halves evenly."""
    scale = 1
    while True:
        for step in (4, 6, 8, 10, 12, 16, 20, 24, 30):
            if peak <= step * scale:
                return step * scale
        scale *= 10
