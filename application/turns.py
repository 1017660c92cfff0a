"""Work that is dear: so many of a kind at once, so many more may wait, and who comes then is told to come
again. So nobody's requests, however many, take all threads, or all of the processor's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore


class Crowded(Exception):
    """To be asked again in `seconds`."""

    def __init__(self, what: str, seconds: int) -> None:
        self.message = f"Too many {what} are under way. Ask again soon."
        self.seconds = seconds
        super().__init__(self.message)


class Turns:
    """Of one process. `what` is the plural of what is done, for the refusal."""

    def __init__(self, what: str, *, at_once: int, waiting: int, seconds: int = 2) -> None:
        self._what = what
        self._seconds = seconds
        self._places = BoundedSemaphore(at_once + waiting)
        self._at_once = BoundedSemaphore(at_once)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Raises Crowded at once when all places to wait are taken, too."""
        if not self._places.acquire(blocking=False):
            raise Crowded(self._what, self._seconds)
        try:
            with self._at_once:
                yield
        finally:
            self._places.release()
