"""Whether a campaign's messages can be made, and fast enough, that it may go on by itself."""

from __future__ import annotations

MOST_FAILED = 20
"""Messages that could not be made, before it matters how many were."""
MOST_SECONDS = 1.0
"""Spent on messages that took long, before it matters how many did."""
SLOW_SECONDS = 0.02
"""More than this for each message would leave other campaigns little of the time; most take a thousandth."""
_REMEMBERED = 1000


class Composition:
    """Of one campaign, lately: from the first message that could not be made, or took long."""

    def __init__(self) -> None:
        self._tried = self._failed = 0
        self._seconds = 0.0

    def tried(self, seconds: float, error: str = "") -> str:
        """Told how long a message took, and why it could not be made. Why the campaign is to be paused, ""
        while it may go on: one person's data that no message can be made with does not stop the others."""
        if self._tried >= _REMEMBERED:
            self._tried, self._failed, self._seconds = self._tried // 2, self._failed // 2, self._seconds / 2
        self._tried += 1
        self._failed += bool(error)
        self._seconds += seconds
        if error and self._failed >= MOST_FAILED and self._failed * 2 >= self._tried:
            return f"{self._failed} of {self._tried} messages could not be made; the last one: {error}"
        if self._seconds >= MOST_SECONDS and self._seconds >= self._tried * SLOW_SECONDS:
            each = round(self._seconds / self._tried * 1000)
            return f"its messages take {each} ms each to make, which holds up other campaigns"
        return ""
