"""The processes of `postledger serve`: started together, restarted when one dies, stopped together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from storage.postgres.kept_process import LAUNCH

log = logging.getLogger(__name__)

RESTART_SECONDS = 1.0
LONGEST_RESTART_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""A child that ran for so long before it died is restarted at once, not with the delay of the last time."""


@dataclass
class Child:
    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    delay: float = RESTART_SECONDS


class Children:
    """Use from the main thread only: the kernel ends a child when the thread that started it ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**os.environ, **environment}
        self._children: list[Child] = []

    def start(self, name: str, arguments: list[str]) -> None:
        """Runs `postledger ARGUMENTS` for as long as this process lives."""
        child = Child(name, arguments)
        self._children.append(child)
        self._spawn(child)

    def restart_the_dead(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                log.error("%s ended with exit code %d", child.name, child.process.returncode)
                is_steady = now - child.started_at >= STEADY_SECONDS
                child.delay = RESTART_SECONDS if is_steady else min(2 * child.delay, LONGEST_RESTART_SECONDS)
                child.restart_at = now + child.delay
                child.process = None
            if child.process is None and now >= child.restart_at:
                self._spawn(child)

    def stop(self, patience: float) -> None:
        """SIGTERM to all; SIGKILL to those that have not ended after `patience` seconds."""
        alive = [child.process for child in self._children if child.process is not None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + patience
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(self, child: Child) -> None:
        command = [sys.executable, "-m", "postledger", *child.arguments]
        launched = [sys.executable, "-I", "-S", LAUNCH, "-1", "-1", str(os.getpid()), *command]
        child.process = subprocess.Popen(  # noqa: S603
            launched, stdin=subprocess.DEVNULL, env=self._environment, start_new_session=True
        )
        child.started_at = time.monotonic()
