"""Requests that can keep the database busy for seconds: few at once, so that all others find it free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from flask import current_app

from web.http.access import actor
from web.http.errors import Refusal

MOST, MOST_OF_ONE = 4, 2
MOST_WAITING = 4
PATIENCE = 2.0
"""Seconds for which a request waits for its turn."""


class HeavyRequests:
    """Of this process: at most MOST under way, and MOST_OF_ONE for the same asker."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._under_way: Counter[str] = Counter()
        self._waiting = 0

    def begin(self, asker: str) -> bool:
        """Waits a little for a turn, unless many wait already. False when it does not come."""
        deadline = monotonic() + PATIENCE
        with self._changed:
            if not self._is_free(asker) and self._waiting >= MOST_WAITING:
                return False
            self._waiting += 1
            try:
                while not self._is_free(asker):
                    if not self._changed.wait(deadline - monotonic()):
                        return False
            finally:
                self._waiting -= 1
            self._under_way[asker] += 1
            return True

    def end(self, asker: str) -> None:
        with self._changed:
            self._under_way[asker] -= 1
            self._under_way += Counter()  # drops those at zero
            self._changed.notify_all()

    def _is_free(self, asker: str) -> bool:
        return self._under_way.total() < MOST and self._under_way[asker] < MOST_OF_ONE


@contextmanager
def heavy() -> Iterator[None]:
    """Around what may take long. Raises Refusal, 503."""
    kept, asker = current_app.extensions["postledger.heavy"], actor()
    assert isinstance(kept, HeavyRequests)
    if not kept.begin(asker):
        raise Refusal(
            503,
            "Too many searches, exports and forecasts are under way. Ask again in a moment.",
            {"Retry-After": "5"},
        )
    try:
        yield
    finally:
        kept.end(asker)
