"""What pages call the states of deliveries, and how they say a span."""

from __future__ import annotations

from domain.delivery.delivery import Status

LABELS = {
    Status.SENT: "Sent",
    Status.SENDING: "Sending",
    Status.QUEUED: "Waiting",
    Status.FAILED: "Failed",
    Status.UNKNOWN: "Unknown",
    Status.SUPPRESSED: "Suppressed",
    Status.CANCELLED: "Cancelled",
}
SPANS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def span(seconds: int) -> str:
    """60 → a minute, 90 → 90 seconds, 7200 → 2 hours."""
    for length, unit in SPANS:
        if seconds and seconds % length == 0:
            many = seconds // length
            article = "an" if unit == "hour" else "a"
            return f"{article} {unit}" if many == 1 else f"{many} {unit}s"
    return ""
