"""Whether others wait while somebody attacks."""

from __future__ import annotations

import threading

from proofs.attacked.client import ask


class Watch:
    """Asks whether it lives, again and again, while the block goes on."""

    def __init__(self, port: int) -> None:
        self.longest = 0.0
        self._port, self._ended = port, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            self.longest = max(self.longest, ask(self._port, "GET", "/healthz").seconds)
