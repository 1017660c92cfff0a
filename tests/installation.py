"""A whole installation in a scratch folder, as processes: started, looked at, and gone without a trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0

T = TypeVar("T")


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the machine's own configuration; a free port; `folder` is what processes are known by."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "PG_BIN")}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    return {
        **kept,
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "POSTLEDGER_PORT": port,
        "POSTLEDGER_DATA_FOLDER": str(folder / "var"),
    }


def processes_of(folder: Path) -> dict[int, str]:
    """What runs there: those that were told of the folder, and PostgreSQL, which works in it."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            told = (place / "environ").read_bytes().split(b"\0")
            is_told = any(value.startswith(b"POSTLEDGER_DATA_FOLDER=" + bytes(folder)) for value in told)
            if is_told or (place / "cwd").readlink().is_relative_to(folder / "var"):
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if command:  # a zombie has none
                    found[int(place.name)] = command
        except OSError:
            continue
    return found


class Running:
    """`with Running(folder, "serve") as it`: a `postledger` command in a session of its own. When the block
    is left with it still there, it is killed, and with it everything of the folder."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.environment = environment(folder)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "postledger", *arguments], cwd=folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for number in processes_of(self.folder):
            with suppress(ProcessLookupError):  # it ended by itself meanwhile
                os.kill(number, signal.SIGKILL)
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            self.said.extend(lines)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['POSTLEDGER_PORT']}"

    def answers(self, path: str) -> bool:
        try:
            with urlopen(self.url + path, timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.answers("/readyz") or self.process.poll() is not None)
        assert self.process.poll() is None, "".join(self.said)

    def end(self, sign: signal.Signals) -> int:
        """The exit code after a signal to it and its foreground group, as a terminal's Ctrl-C is."""
        os.killpg(self.process.pid, sign)
        return self.process.wait(PATIENCE)


def wait_until(condition: Callable[[], T], timeout: float = PATIENCE) -> T:
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found
