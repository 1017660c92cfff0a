"""Work that is dear: so many of a kind at once, so many more may wait, and who comes then is told to come
again. So nobody's requests, however many, take all threads, or all of the processor's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Condition


class Crowded(Exception):
    """To be asked again in `seconds`."""

    def __init__(self, what: str, seconds: int) -> None:
        self.message = f"Too many {what} are running. Try again soon."
        self.seconds = seconds
        super().__init__(self.message)


@dataclass(frozen=True, order=True)
class Place:
    """In the line of those who wait. Whoever has less under way or in the line goes first."""

    before: int
    number: int
    asker: str = field(compare=False)


class Turns:
    """Of one process: `at_once` are under way, `of_one` of them for the same asker, and `waiting` more wait,
    `waiting_of_one` of them for the same asker, for `patience` seconds at most. `what` is the plural of what
    is done, for the refusal, which says to come again in `seconds`."""

    def __init__(
        self,
        what: str,
        *,
        at_once: int,
        waiting: int,
        of_one: int | None = None,
        waiting_of_one: int | None = None,
        patience: float | None = None,
        seconds: int = 2,
    ) -> None:
        self._what = what
        self._at_once = at_once
        self._most_waiting = waiting
        self._of_one = at_once if of_one is None else of_one
        self._most_waiting_of_one = waiting if waiting_of_one is None else waiting_of_one
        self._patience = patience
        self._seconds = seconds
        self._changed = Condition()
        self._under_way: Counter[str] = Counter()
        self._waiting: list[Place] = []
        self._numbers = count()

    @contextmanager
    def taken(self, asker: str = "") -> Iterator[None]:
        """Raises Crowded: at once when all places to wait are taken, too."""
        if not self.begin(asker):
            raise Crowded(self._what, self._seconds)
        try:
            yield
        finally:
            self.end(asker)

    def begin(self, asker: str = "") -> bool:
        """False when the turn does not come."""
        with self._changed:
            waiting = sum(place.asker == asker for place in self._waiting)
            place = Place(self._under_way[asker] + waiting, next(self._numbers), asker)
            if not self._is_next(place) and not self._may_wait(waiting):
                return False
            self._waiting.append(place)
            try:
                if not self._changed.wait_for(lambda: self._is_next(place), self._patience):
                    return False
                self._under_way[asker] += 1
                return True
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()

    def end(self, asker: str = "") -> None:
        with self._changed:
            self._under_way[asker] -= 1
            self._under_way += Counter()  # drops those at zero
            self._changed.notify_all()

    def _may_wait(self, waiting: int) -> bool:
        return len(self._waiting) < self._most_waiting and waiting < self._most_waiting_of_one

    def _is_next(self, place: Place) -> bool:
        return self._is_free(place.asker) and not any(
            other < place and self._is_free(other.asker) for other in self._waiting
        )

    def _is_free(self, asker: str) -> bool:
        return self._under_way.total() < self._at_once and self._under_way[asker] < self._of_one
