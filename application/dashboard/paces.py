"""How fast campaigns have moved of late, from what this process was asked to show of them."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from threading import Lock

OVER = timedelta(minutes=1)
NONE_UNDER = timedelta(seconds=5)


class Paces:
    """Of what was seen within the last minute. Thread-safe."""

    def __init__(self) -> None:
        self._seen: dict[int, deque[tuple[datetime, int]]] = {}
        self._lock = Lock()

    def rate(self, campaign: int, now: datetime, sent: int) -> float:
        """E-mails a minute; 0 as long as too little was seen."""
        with self._lock:
            seen = self._seen.setdefault(campaign, deque())
            while seen and now - seen[0][0] > OVER:
                seen.popleft()
            seen.append((now, sent))
            elapsed = now - seen[0][0]
            if elapsed < NONE_UNDER:
                return 0.0
            return (sent - seen[0][1]) / (elapsed / timedelta(minutes=1))
