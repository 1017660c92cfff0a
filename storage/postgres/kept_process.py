"""A program that runs for as long as this process does, as another user if need be."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import threading
from pathlib import Path

LAUNCH = str(Path(__file__).with_name("launch.py"))
LOG_LIMIT = 10_000_000
PATIENCE = {signal.SIGINT: 10.0, signal.SIGQUIT: 4.0, signal.SIGKILL: 1.0}


class KeptProcess:
    """`command`, run as `account` (None: as ourselves) with the open `descriptors`, its output in `log`.

    It gets SIGINT when this process ends, however it ends (Linux only), and is in a session of its own,
    so that a terminal's Ctrl-C reaches this process alone. Raises OSError when it cannot be spawned.
    """

    def __init__(
        self, command: list[str], account: pwd.struct_passwd | None, descriptors: list[int], log: Path
    ) -> None:
        ids = (account.pw_uid, account.pw_gid) if account else (-1, -1)
        self._command = [sys.executable, "-I", "-S", LAUNCH, *map(str, (*ids, os.getpid())), *command]
        self._descriptors = descriptors
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        self._known, self._ended = threading.Event(), threading.Event()
        # The kernel takes the end of the spawning thread for the parent's death: so a thread that
        # stays as long as the program spawns it, and reaps it too.
        threading.Thread(target=self._keep, name=Path(command[0]).name, daemon=True).start()
        self._known.wait()
        if self._error is not None:
            raise self._error

    def _keep(self) -> None:
        try:
            self._process = self._spawn()
        except OSError as error:
            self._error = error
            return
        finally:
            self._known.set()
        self._process.wait()
        self._ended.set()

    def _spawn(self) -> subprocess.Popen[bytes]:
        too_long = self._log.exists() and self._log.stat().st_size > LOG_LIMIT
        with self._log.open("wb" if too_long else "ab") as output:
            return subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self._descriptors,
                env={"LC_ALL": "C", "PATH": os.defpath},
                cwd="/",
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ended(self, seconds: float | None = None) -> bool:
        """Wait until the program has ended, for at most `seconds`; whether it has."""
        return self._ended.wait(seconds)

    def exit_code(self) -> int:
        """Wait for the end; negative is the signal that killed it."""
        self._ended.wait()
        assert self._process is not None
        return int(self._process.returncode)

    def stop(self) -> None:
        """End it within 15 seconds: SIGINT, then SIGQUIT, then SIGKILL."""
        for sign, seconds in PATIENCE.items():
            if self._process is None or self._ended.is_set():
                return
            self._process.send_signal(sign)
            self._ended.wait(seconds)


class Handed:
    """A folder as `account` can reach it whatever its parents' modes: as an open descriptor; by its name
    when no account is given. `descriptors` go to the KeptProcess."""

    def __init__(self, folder: Path, account: pwd.struct_passwd | None) -> None:
        self.descriptors = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY)] if account else []
        self.path = f"/proc/self/fd/{self.descriptors[0]}" if account else str(folder)

    def __enter__(self) -> Handed:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


def has_a_future(lock: int) -> bool:
    """Whether the process that started the server lives; on Linux the server is ending when it does not."""
    if sys.platform != "linux":
        return True
    owner = os.pread(lock, 20, 0).decode()
    return bool(owner) and Path(f"/proc/{owner}").exists()
