"""What a thread reads the rest of a long body from: slowly is allowed, a byte now and then is not."""

from __future__ import annotations

import socket
import time

from web import arriving

SLOW_SECONDS = 20.0
"""For one piece of an answer to be taken, or of a long body to come."""
LEAST_RATE = 8 * 1024
"""Bytes a second, on the whole, once the time in which a short request arrives is over."""


class PacedSocket:
    """Of one request. Reading raises TimeoutError when no piece comes for SLOW_SECONDS, or too little did."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + arriving.SECONDS
        connection.settimeout(SLOW_SECONDS)

    def recv(self, size: int) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(min(SLOW_SECONDS, left))
        try:
            data = self._connection.recv(size)
        finally:
            self._connection.settimeout(SLOW_SECONDS)
        self._deadline += len(data) / LEAST_RATE
        return data
