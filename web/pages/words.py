"""What pages call the states of deliveries, and how they say a span."""

from __future__ import annotations

from domain.delivery.delivery import Status

_FIRST = (Status.SENT, Status.SENDING, Status.QUEUED, Status.FAILED, Status.UNKNOWN)
_OTHERS = tuple(status for status in Status if status not in (*_FIRST, Status.CANCELLED))
LABELS = {status: status.label for status in (*_FIRST, *_OTHERS, Status.CANCELLED)}
"""In the order in which pages show them."""

SPANS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def lasting(seconds: float) -> str:
    """50 → 50 s, 330 → 5 min 30 s, 93600 → 1 d 2 h: two units are enough."""
    rest = round(seconds)
    parts: list[str] = []
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        many, rest = divmod(rest, length)
        if many or (parts and len(parts) < 2):
            parts.append(f"{many} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or "0 s"


def span(seconds: int) -> str:
    """60 → a minute, 90 → 90 seconds, 7200 → 2 hours."""
    for length, unit in SPANS:
        if seconds and seconds % length == 0:
            many = seconds // length
            article = "an" if unit == "hour" else "a"
            return f"{article} {unit}" if many == 1 else f"{many} {unit}s"
    return ""
