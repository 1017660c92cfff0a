"""Asks processes of their own to render: a few at once, each killed when it takes long. What they are given
is what somebody wrote and whom it is shown for; their environment and their arguments tell nothing."""

from __future__ import annotations

import atexit
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import Any

from application import permission
from application.rendering import child
from application.turns import Turns
from mail.template.render import MessageError

log = logging.getLogger(__name__)

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
OF_ONE = max(1, AT_ONCE // 2)
WAITING = 6
WAITING_OF_ONE = 4
SECONDS = 10.0
"""By the clock, for one question; the process itself gives up before, but on a busy machine."""
START_SECONDS = 20.0
MOST_QUESTIONS = 1000
"""Then a process makes way for a new one."""
TOO_MUCH = "html: takes too much time or memory to render"

_ROOT = Path(child.__file__).parents[2]
_COMMAND = [sys.executable, "-P", "-m", child.__name__]
_ENVIRONMENT = {"PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


class RendererDied(Exception):
    """It was killed, by us or by one of its limits."""


class Renderer:
    """One process, which one thread asks at a time."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - nothing of what it is given is anybody's
                _COMMAND, stdin=theirs.fileno(), stdout=theirs.fileno(), env=_ENVIRONMENT, cwd="/"
            )
        self.asked = 0

    def answer(self, asked: bytes) -> bytes:
        """Raises RendererDied, and then it is of no use any more."""
        patience = SECONDS if self.asked else SECONDS + START_SECONDS
        self.asked += 1
        until = monotonic() + patience
        try:
            self._socket.settimeout(patience)
            self._socket.sendall(child.LENGTH.pack(len(asked)) + asked)
            (size,) = child.LENGTH.unpack(self._read(child.LENGTH.size, until))
            return self._read(size, until)
        except OSError as error:
            self.close()
            raise RendererDied(type(error).__name__) from None

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _read(self, size: int, until: float) -> bytes:
        """Raises OSError, also at `until`."""
        pieces = bytearray()
        while len(pieces) < size:
            self._socket.settimeout(max(until - monotonic(), 0.001))
            piece = self._socket.recv(min(size - len(pieces), 1 << 20))
            if not piece:
                raise ConnectionError
            pieces += piece
        return bytes(pieces)


class Renderers:
    """Of this process, started when they are first needed."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._turns = Turns(
            "previews and checks of templates",
            at_once=at_once, of_one=OF_ONE, waiting=WAITING, waiting_of_one=WAITING_OF_ONE,
        )  # fmt: skip
        self._idle: list[Renderer] = []
        self._lock = threading.Lock()

    def ask(self, question: str, **arguments: Any) -> Any:
        """What `questions` answers. Raises MessageError, also for what takes too long, and Crowded."""
        try:
            asked = json.dumps([question, arguments]).encode()
        except RecursionError:
            raise MessageError("the message cannot be rendered: the data are nested too deeply") from None
        if len(asked) > child.LARGEST:
            raise MessageError("html: too large to check")
        with self._turns.taken(permission.asker()):
            answer = json.loads(self._answer(question, asked))
        if "error" in answer:
            raise MessageError(answer["error"])
        return answer["answer"]

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for renderer in idle:
            renderer.close()

    def _answer(self, question: str, asked: bytes) -> bytes:
        with self._lock:
            renderer = self._idle.pop() if self._idle else None
        renderer = renderer or Renderer()
        try:
            answer = renderer.answer(asked)
        except RendererDied as died:
            log.warning("a process that was asked for %s was ended (%s)", question, died)
            raise MessageError(TOO_MUCH) from None
        if renderer.asked >= MOST_QUESTIONS:
            renderer.close()
        else:
            with self._lock:
                self._idle.append(renderer)
        return answer


RENDERERS = Renderers()
atexit.register(RENDERERS.close)
