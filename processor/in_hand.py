"""Deliveries that this processor has planned or written, until the projection shows it.

The queue projection lags the log a little. A delivery that is planned, or whose last event the
projection has not seen, must not be planned again: the append would be refused, so it would be no
harm to the e-mail, but it would be work for nothing.
"""

from __future__ import annotations

Key = tuple[int, int]


class InHand:
    """A set of (campaign, recipient), written by several threads in single, atomic steps of a dict."""

    def __init__(self) -> None:
        self._written: dict[Key, int] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._written

    def __len__(self) -> int:
        return len(self._written)

    def take(self, key: Key) -> None:
        self._written[key] = 0

    def wrote(self, key: Key, position: int) -> None:
        self._written[key] = position

    def release(self, key: Key) -> None:
        self._written.pop(key, None)

    def forget(self, projected: int) -> None:
        """Drops what the projection shows by now, up to the log position `projected`."""
        for key, position in list(self._written.items()):
            if 0 < position <= projected:
                self._written.pop(key, None)
