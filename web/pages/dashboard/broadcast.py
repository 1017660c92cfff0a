"""One thread composes the live page; every viewer gets what changed since they last looked.

An edition is a set of named fragments. Each fragment remembers the edition in which it last
changed, so that a viewer who saw edition 7 needs only what changed after 7.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import monotonic

log = logging.getLogger(__name__)


class TooManyStreams(Exception):
    """As many viewers are fed as are allowed, or the process is stopping."""


@dataclass
class Edition:
    """`changed` holds, for each fragment, the number of the edition in which it last changed."""

    boot: str
    number: int = 0
    fragments: dict[str, str] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    composed_at: float = float("-inf")

    @property
    def name(self) -> str:
        return f"{self.boot}-{self.number}"

    def since(self, seen: int) -> dict[str, str]:
        return {name: html for name, html in self.fragments.items() if self.changed[name] > seen}

    def seen_by(self, name: str | None) -> int:
        """The edition that a name means, 0 (nothing seen) when it is of another process or no name."""
        boot, _, number = (name or "").rpartition("-")
        if boot == self.boot and number.isascii() and number.isdigit() and int(number) <= self.number:
            return int(number)
        return 0

    def followed_by(self, fragments: dict[str, str], at: float) -> Edition:
        number = self.number + 1
        changed = {
            name: self.changed[name] if self.fragments.get(name) == html else number
            for name, html in fragments.items()
        }
        if number not in changed.values():
            number = self.number
        return Edition(self.boot, number, fragments, changed, at)


class Broadcast:
    """`compose` gives the fragments as they are now. It is called at most once per `interval`
    seconds, and only while somebody looks."""

    def __init__(
        self,
        compose: Callable[[], dict[str, str]],
        *,
        interval: float = 1.0,
        heartbeat: float = 15.0,
        largest: int = 16,
    ) -> None:
        self._compose = compose
        self._interval = interval
        self._heartbeat = heartbeat
        self._largest = largest
        self._changed = Condition()
        self._composing = Condition()
        self._edition = Edition(secrets.token_hex(4))
        self._viewers = 0
        self._thread: Thread | None = None
        self._closed = False

    @property
    def is_running(self) -> bool:
        """Whether the thread that composes is there: only while somebody looks."""
        return self._thread is not None

    def edition(self) -> Edition:
        """The newest edition, composed anew when it is older than the interval."""
        with self._composing:
            if monotonic() - self._edition.composed_at >= self._interval:
                self._publish(self._compose())
            return self._edition

    def stream(self, seen: str | None) -> Stream:
        """Raises TooManyStreams when as many are open as are allowed, or after `close`."""
        with self._changed:
            if self._closed or self._viewers >= self._largest:
                raise TooManyStreams
            self._viewers += 1
            if self._thread is None:
                self._thread = Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
            return Stream(self, self._edition.seen_by(seen))

    def close(self, wait: bool = True) -> None:
        """Ends all streams and the thread; with `wait` returns when the thread has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if wait and thread is not None:
            thread.join(timeout=10)

    def next_edition(self, seen: int) -> Edition | None:
        """Waits for one that has something newer than `seen`; None after a heartbeat without.
        Raises StopIteration once the broadcast is closed."""
        with self._changed:
            news = self._changed.wait_for(lambda: self._closed or self._edition.since(seen), self._heartbeat)
            if self._closed:
                raise StopIteration
            return self._edition if news else None

    def left(self) -> None:
        with self._changed:
            self._viewers -= 1
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            try:
                self.edition()
            except Exception:
                log.warning("The live page could not be composed; will retry", exc_info=True)
            with self._changed:
                self._changed.wait_for(lambda: self._closed or not self._viewers, self._interval)
                if self._closed or not self._viewers:
                    self._thread = None
                    return

    def _publish(self, fragments: dict[str, str]) -> None:
        edition = self._edition.followed_by(fragments, monotonic())
        with self._changed:
            news = edition.number != self._edition.number
            self._edition = edition
            if news:
                self._changed.notify_all()


class Stream:
    """One viewer: an iterator of (name of the edition, fragments that changed), or None for a
    heartbeat, the first at once. `close` gives the place back and may be called twice."""

    def __init__(self, broadcast: Broadcast, seen: int) -> None:
        self._broadcast = broadcast
        self._seen = seen
        self._greeted = False
        self._open = True

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> tuple[str, dict[str, str]] | None:
        if not self._greeted:
            self._greeted = True
            return None
        edition = self._broadcast.next_edition(self._seen)
        if edition is None:
            return None
        news = edition.since(self._seen)
        self._seen = edition.number
        return edition.name, news

    def close(self) -> None:
        if self._open:
            self._open = False
            self._broadcast.left()
