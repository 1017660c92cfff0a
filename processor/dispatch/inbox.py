"""How other threads reach the thread of a loop that waits for sockets."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Inbox:
    """Actions to be run in the loop's thread. The loop waits for it to be readable, as for any socket."""

    def __init__(self) -> None:
        self._actions: deque[Callable[[], None]] = deque()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._is_awake = False

    def __bool__(self) -> bool:
        return bool(self._actions)

    def fileno(self) -> int:
        return self._reader.fileno()

    def put(self, action: Callable[[], None]) -> None:
        """From any thread: runs `action` in the loop's, soon."""
        self._actions.append(action)
        self.wake()

    def wake(self) -> None:
        """From any thread: makes the loop go round once; next to free when it was woken already."""
        if not self._is_awake:
            self._is_awake = True
            with suppress(BlockingIOError):  # the pipe is full of wake-ups already
                self._writer.send(b"\0")

    def empty(self) -> None:
        """In the loop's thread: runs what has come."""
        with suppress(BlockingIOError):  # another wake-up took the bytes
            self._reader.recv(4096)
        self._is_awake = False
        while self._actions:
            self._actions.popleft()()
