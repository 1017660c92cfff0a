"""What pages call the states of deliveries, and how they say a span."""

from __future__ import annotations

from domain.delivery.delivery import Status

_FIRST = (Status.SENT, Status.SENDING, Status.QUEUED, Status.FAILED, Status.UNKNOWN)
_OTHERS = tuple(status for status in Status if status not in (*_FIRST, Status.CANCELLED))
LABELS = {status: status.label for status in (*_FIRST, *_OTHERS, Status.CANCELLED)}
"""In the order in which pages show them."""

SPANS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def span(seconds: int) -> str:
    """60 → a minute, 90 → 90 seconds, 7200 → 2 hours."""
    for length, unit in SPANS:
        if seconds and seconds % length == 0:
            many = seconds // length
            article = "an" if unit == "hour" else "a"
            return f"{article} {unit}" if many == 1 else f"{many} {unit}s"
    return ""
