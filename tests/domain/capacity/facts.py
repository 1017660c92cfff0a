"""What is recorded of capacity."""

from __future__ import annotations

from domain.capacity.capacity import Reserved, Returned
from domain.streams import capacity_stream

STREAM = capacity_stream(1)


def reserved(version: int, n: int, day: str, until: float) -> Reserved:
    return Reserved(originator_id=STREAM, originator_version=version, by="test", n=n, day=day, until=until)


def returned(version: int, reservation: int, at: float, unused: int = 0, refused: int = 0) -> Returned:
    return Returned(
        originator_id=STREAM,
        originator_version=version,
        by="test",
        reservation=reservation,
        at=at,
        unused=unused,
        refused=refused,
    )
