"""SIGTERM and SIGINT both mean: stop in an orderly way."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType


def on_stop(action: Callable[[], None]) -> None:
    """Calls `action` at either signal from now on; to be called in the main thread."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        action()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
