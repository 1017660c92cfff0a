"""Whether others wait while somebody attacks."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from proofs.attacked.client import ask
from proofs.attacked.house import House
from tests.installation import processes_of


class Watch:
    """Asks whether it lives, again and again, while the block goes on: `longest` is how many seconds it took.
    `memory` is how many MB more than ever before those who serve pages had meanwhile."""

    def __init__(self, house: House) -> None:
        self.longest = 0.0
        self.memory = 0.0
        self._house, self._ended = house, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._before = _memory(self._house)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.memory = _memory(self._house) - self._before

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            self.longest = max(self.longest, ask(self._house.port, "GET", "/healthz").seconds)


def _memory(house: House) -> float:
    """MB, the most so far."""
    pages = [number for number, command in processes_of(house.folder).items() if " web" in command]
    told = [Path(f"/proc/{number}/status").read_text() for number in pages]
    return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in told) / 1024  # type: ignore[index]
