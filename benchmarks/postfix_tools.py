"""Postfix's load tools: smtp-sink accepts mail and drops it, smtp-source sends as fast as it can.

They are Debian's, unpacked by bin/bench into var/tools, or those on the PATH. Loopback only.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPACKED = Path(__file__).parent.parent / "var" / "tools"
SESSIONS = 10
MESSAGE_BYTES = 4000
START_LIMIT = 10.0


class ToolMissing(Exception):
    """smtp-sink or smtp-source is not on this machine; bin/bench fetches them."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def smtp_sink(port: int, *options: str, backlog: int = 500) -> Iterator[None]:
    """Runs smtp-sink on 127.0.0.1:`port` with further `options`, listening when the body starts."""
    program, environment = _tool("smtp-sink")
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [program, *as_whom, *options, f"127.0.0.1:{port}", str(backlog)]
    sink = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _await_greeting(sink, port)
        yield
    finally:
        sink.terminate()
        sink.communicate()


def smtp_source(port: int, messages: int, *, recipients: int = 1) -> float:
    """Messages a second that smtp-source gets through to 127.0.0.1:`port`: 10 sessions, 4,000 bytes each."""
    program, environment = _tool("smtp-source")
    sizes = ["-s", str(SESSIONS), "-l", str(MESSAGE_BYTES), "-m", str(messages), "-r", str(recipients)]
    started = time.monotonic()
    subprocess.run([program, *sizes, f"127.0.0.1:{port}"], env=environment, check=True)
    return messages / (time.monotonic() - started)


def _tool(name: str) -> tuple[str, dict[str, str]]:
    on_path = shutil.which(name)
    if on_path:
        return on_path, dict(os.environ)
    program = UNPACKED / "usr" / "sbin" / name
    if not program.exists():
        raise ToolMissing(f"{name} is neither on the PATH nor in {UNPACKED}: run bin/bench")
    return str(program), {**os.environ, "LD_LIBRARY_PATH": str(UNPACKED / "usr" / "lib" / "postfix")}


def _await_greeting(sink: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                if connection.recv(4).startswith(b"220"):
                    return
        except OSError:
            pass  # not listening yet
        if sink.poll() is not None:
            said = sink.stderr.read().decode() if sink.stderr else ""
            raise RuntimeError(f"smtp-sink ended: {said}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"smtp-sink does not greet on port {port}")
        time.sleep(0.01)
