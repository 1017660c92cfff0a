"""What this processor knows of deliveries that the projection does not show.

The queue projection lags the log a little. A delivery that is planned, or whose last event the
projection has not seen, must not be planned again: the append would be refused, so it would be no
harm to the e-mail, but it would be work for nothing.
"""

from __future__ import annotations

Key = tuple[int, int]


class PlannedDeliveries:
    """A set of (campaign, recipient), written by several threads in single, atomic steps of a dict."""

    def __init__(self) -> None:
        self._written: dict[Key, int] = {}
        self._released: dict[int, None] = {}
        self._unfit: dict[Key, frozenset[int]] = {}
        self._forgotten = -1

    def __contains__(self, key: Key) -> bool:
        return key in self._written

    def __len__(self) -> int:
        return len(self._written)

    def take(self, key: Key) -> None:
        self._written[key] = 0

    def wrote(self, key: Key, position: int) -> None:
        self._written[key] = position
        if position <= self._forgotten:  # looked at last: `forget` sets it before it looks at the others
            self._written.pop(key, None)
        if self._unfit:
            self._unfit.pop(key, None)

    def release(self, key: Key) -> None:
        """It was planned in vain and is free to be planned again."""
        self._written.pop(key, None)
        self._released[key[0]] = None

    def campaigns_released(self) -> list[int]:
        """Campaigns of which something was released since the last call."""
        released, self._released = self._released, {}
        return list(released)

    def cannot_take(self, server: int, key: Key) -> None:
        """What the server offers is not enough for this e-mail. Known until it goes another way."""
        self._unfit[key] = self.unfit(key) | {server}

    def unfit(self, key: Key) -> frozenset[int]:
        """Servers that cannot take it."""
        return self._unfit.get(key, NONE) if self._unfit else NONE

    def forget(self, projected: int) -> None:
        """Drops what the projection shows by now, up to the log position `projected`."""
        if projected == self._forgotten:
            return
        self._forgotten = projected
        for key, position in list(self._written.items()):
            if 0 < position <= projected:
                self._written.pop(key, None)


NONE: frozenset[int] = frozenset()
