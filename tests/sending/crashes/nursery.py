"""Processors that are born in a moment: forked from a process that has imported everything already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tests.sending.world import ROOT, World, wait_until

FORKER = """
import os, signal, sys
from pathlib import Path
from postledger.config import load
from postledger.serving.processing import run_processor

config = load({}, os.environ, Path.cwd())
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    number = os.fork()
    if number == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os._exit(run_processor(config))
    print(number, flush=True)
"""


class Nursery:
    """`with Nursery(world, folder) as nursery: nursery.born()` gives the number of a process that sends."""

    def __init__(self, world: World, folder: Path) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "POSTLEDGER_DATABASE_URL": world.url,
            "POSTLEDGER_KEY": world.key,
            "POSTLEDGER_DATA_FOLDER": str(folder),
            "POSTLEDGER_LOG_LEVEL": "error",
        }
        self._forker = subprocess.Popen(
            [sys.executable, "-c", FORKER], cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._born: set[int] = set()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in list(self._born):
            self.kill(number)
        self._forker.communicate()

    def born(self) -> int:
        assert self._forker.stdin
        assert self._forker.stdout
        self._forker.stdin.write("\n")
        self._forker.stdin.flush()
        number = int(self._forker.stdout.readline())
        self._born.add(number)
        return number

    def stop(self, number: int) -> None:
        """As it is at this moment; what can still be done with it is to kill it."""
        os.kill(number, signal.SIGSTOP)
        wait_until(lambda: Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "T")

    def waits(self, number: int) -> bool:
        """Whether none of its threads is in the middle of anything."""
        states = [stat.read_text().rpartition(")")[2].split()[0] for stat in _threads(number)]
        return set(states) == {"S"}

    def kill(self, number: int) -> None:
        os.kill(number, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{number}").exists())
        self._born.discard(number)


def _threads(number: int) -> Iterator[Path]:
    return Path(f"/proc/{number}/task").glob("*/stat")
