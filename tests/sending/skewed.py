"""A process that sends on a host whose clock is wrong, for whoever asks it: libraries, too."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sending.world import PATIENCE, ROOT, World

PROGRAM = """
import datetime as module, os, sys, time
from pathlib import Path

ahead, real_time, real = Path(sys.argv[1]), time.time, module.datetime

def skewed():
    return real_time() + float(ahead.read_text())

class Instances(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, real)

class Skewed(real, metaclass=Instances):
    @classmethod
    def now(cls, tz=None):
        return real.fromtimestamp(skewed(), tz)

time.time, module.datetime = skewed, Skewed

from postledger.config import load
from postledger.serving.processing import run_processor
sys.exit(run_processor(load({}, os.environ, Path.cwd())))
"""


class Host:
    """`set_ahead` sets its clock, a running one too; `processor` is a process that sends there."""

    def __init__(self, folder: Path, ahead: float = 0.0) -> None:
        self._ahead = folder / "ahead"
        self.set_ahead(ahead)

    def set_ahead(self, seconds: float) -> None:
        written = self._ahead.with_suffix(".new")
        written.write_text(str(seconds))
        written.replace(self._ahead)

    @contextmanager
    def processor(self, world: World) -> Iterator[subprocess.Popen[bytes]]:
        environment = {**world.environment(), "PYTHONPATH": str(ROOT)}
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(self._ahead)],
                cwd=folder,
                env={**os.environ, **environment, "POSTLEDGER_DATA_FOLDER": folder},
            )
            try:
                yield process
                process.terminate()
                assert process.wait(PATIENCE) == 0
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
