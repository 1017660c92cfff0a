"""How busy the machine is, for tests of what must be in force within a second."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import pairwise
from threading import Event, Thread
from types import TracebackType
from typing import Self

Soon = Callable[..., float]
"""`Pulse.soon`."""

BEAT = 0.01
HANDS = 10
"""Threads and processes through which an e-mail goes between the last look at what is allowed and the moment
at which an SMTP server notes it: each may have to wait for its turn."""


class Pulse:
    """`with Pulse() as pulse`: beats all the while, as often as the machine lets it."""

    def __init__(self) -> None:
        self._beats = [time.time()]
        self._is_over = Event()
        self._thread = Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._is_over.wait(BEAT):
            self._beats.append(time.time())

    def soon(self, since: float, seconds: float = 1.0) -> float:
        """The moment by which what was done at `since` is in force: so many seconds later, and what handing
        over takes at the longest wait for a turn in that time. On a quiet machine that is next to nothing."""
        watched = self._beats[bisect_right(self._beats, since) :]
        watched = watched[: bisect_left(watched, since + 2 * seconds) + 1]
        if not watched or watched[-1] < since + 2 * seconds:
            watched.append(time.time())
        longest = max(later - earlier for earlier, later in pairwise([since, *watched]))
        return since + seconds + HANDS * max(0.0, longest - BEAT)
