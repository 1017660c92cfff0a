"""SMTP servers in a process of their own, so that an attack does not slow them down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from postledger.sink.keeper import Received
from postledger.sink.sink import Sink

COUNT = 6
WATCHED = "@attacked.example"
"""The messages of people there are kept, to be looked at."""


class WatchingSink(Sink):
    def keep(self, received: Received) -> None:
        if any(address.endswith(WATCHED) for address in received.rcpt_to):
            super().keep(received)


class MailServers:
    """`with MailServers(folder, latency) as mail: mail.ports`."""

    def __init__(self, folder: Path, latency: float) -> None:
        self._folder = folder
        self._command = [sys.executable, "-m", "proofs.attacked.mail_servers", str(folder), str(latency)]

    def __enter__(self) -> MailServers:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.ports: list[int] = json.loads(self._process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def messages_to(self, address: str) -> list[bytes]:
        """As they came over the wire, after two lines that tell of the envelope."""
        found = sorted(self._folder.glob("*/*.eml"))
        marker = f"Delivered-To: {address}\r\n".encode()
        return [message for message in (each.read_bytes() for each in found) if marker in message[:2000]]


def main(folder: str, latency: str) -> None:
    sinks = [
        WatchingSink(keep=Path(folder) / str(n), latency=float(latency), remembers_messages=False)
        for n in range(COUNT)
    ]
    for sink in sinks:
        sink.start()
    print(json.dumps([sink.port for sink in sinks]), flush=True)
    sys.stdin.read()  # until whoever began this goes
    for sink in sinks:
        sink.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
