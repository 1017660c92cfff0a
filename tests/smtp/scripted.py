"""An SMTP server that says and does at each step what a test tells it to, however wrong."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from types import TracebackType
from typing import Literal

USUAL = {
    "greeting": b"220 scripted.invalid ESMTP\r\n",
    "mail": b"250 2.1.0 ok\r\n",
    "rcpt": b"250 2.1.5 ok\r\n",
    "data": b"354 go ahead\r\n",
    "dot": b"250 2.0.0 taken\r\n",
    "rset": b"250 2.0.0 forgotten\r\n",
    "quit": b"221 2.0.0 bye\r\n",
}


@dataclass(frozen=True)
class Act:
    """Says `say` (None: the usual) and then goes on, hangs up, resets the connection or falls silent."""

    say: bytes | None = None
    then: Literal["go on", "hang up", "reset", "be silent"] = "go on"


PATIENCE = 20.0
"""Seconds that a loaded machine may take over an answer."""


def timeout_for(*acts: Act) -> float:
    """Short where the server falls silent and the client is to give up; long enough for what goes before."""
    return 1.0 if any(act.then == "be silent" for act in acts) else PATIENCE


class ScriptedServer:
    """`script` has what to do at a step instead of the usual: greeting, ehlo, starttls, mail, rcpt, data,
    body (when the message begins), dot, rset, quit. A list is used up one occasion at a time.

    `script` is what is left of it, `commands` what the client said, `bodies` what stood between 354 and the
    final dot.
    """

    def __init__(
        self,
        script: Mapping[str, Act | list[Act]] | None = None,
        *,
        pipelining: bool = True,
        extensions: tuple[str, ...] = (),
        receive_buffer: int | None = None,
    ) -> None:
        self.script = dict(script or {})
        offered = ["scripted.invalid", *extensions] + ["PIPELINING"] * pipelining
        self._hello = "".join(f"250{' ' if row is offered[-1] else '-'}{row}\r\n" for row in offered).encode()
        self.commands: list[str] = []
        self.bodies: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        if receive_buffer:
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def settings(self) -> dict[str, object]:
        return {"host": "127.0.0.1", "port": self.port}

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_stopping.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        for opened in self._open:
            _shut(opened)
        self._thread.join(10)
        self._listening.close()

    def _serve(self) -> None:
        workers = []
        while True:
            connection, _ = self._listening.accept()
            if self._is_stopping.is_set():
                connection.close()
                break
            self._open.append(connection)
            workers.append(threading.Thread(target=self._converse, args=(connection,), daemon=True))
            workers[-1].start()
        for worker in workers:
            worker.join(10)

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                if not self._act(connection, "greeting", USUAL["greeting"]):
                    return
                while line := lines.readline():
                    command = line.decode("utf-8", "replace").rstrip("\r\n")
                    self.commands.append(command)
                    step = command[:4].lower()
                    usual = self._hello if step in ("ehlo", "helo") else USUAL.get(step, b"502 no\r\n")
                    said = self._act(connection, {"helo": "ehlo", "star": "starttls"}.get(step, step), usual)
                    if not said or step == "quit":
                        return
                    if said.startswith(b"354") and not self._read_body(connection, lines):
                        return
        except OSError:
            return

    def _read_body(self, connection: socket.socket, lines: BufferedReader) -> bool:
        if "body" in self.script:
            lines.peek(1)
            if not self._act(connection, "body", b""):
                return False
        body = []
        while (line := lines.readline()) != b".\r\n":
            if not line:
                return False
            body.append(line)
        self.bodies.append(b"".join(body))
        return bool(self._act(connection, "dot", USUAL["dot"]))

    def _act(self, connection: socket.socket, step: str, usual: bytes) -> bytes:
        """What was said; nothing when the conversation is over."""
        act = self.script.get(step, Act())
        if isinstance(act, list):
            act = act.pop(0) if act else Act()
        said = usual if act.say is None else act.say
        connection.sendall(said)
        if act.then == "be silent":
            self._is_stopping.wait()
        if act.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return (said or b"\0") if act.then == "go on" else b""


def _shut(opened: socket.socket) -> None:
    try:
        opened.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
