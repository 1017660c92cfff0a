"""The log itself, for who reads it by hand: its last events, and those that come."""

from __future__ import annotations

import select
from collections.abc import Iterator

from application.installation import Installation
from projections.following.schema import log_head
from storage.log import feed
from storage.log.feed import Recorded
from storage.log.subscription import CHANNEL

PAGE = 1000
PATIENCE = 60.0
"""Seconds after which it is looked without a notification."""


class EventLog:
    """`topic` is what topics begin with, empty for all."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def newest(self, count: int, topic: str = "") -> list[Recorded]:
        """In the order in which they happened."""
        with self._installation.reading() as cursor:
            return feed.newest(cursor, topic, count)[::-1]

    def head(self) -> int:
        """The position of the last event, 0 for none."""
        with self._installation.reading() as cursor:
            return log_head(cursor)

    def follow(self, after: int, topic: str = "") -> Iterator[Recorded]:
        """Those after a position, and those that are appended from now on, without end."""
        listener = self._installation.pool.open()
        try:
            listener.autocommit = True
            with listener.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
                while True:
                    events = feed.following(cursor, after, topic, PAGE)
                    yield from events
                    if events:
                        after = events[-1].position
                        continue
                    select.select([listener], [], [], PATIENCE)
                    listener.poll()
                    listener.notifies.clear()
        finally:
            listener.close()
