"""An SMTP server for this machine alone that keeps what it receives.

The demo's servers, and the oracle of tests: what arrived, when, how often. `python -m postledger.sink`
runs one as a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from postledger.sink.dialogue import SinkDialogue
from postledger.sink.keeper import OpenDialogue, Received
from postledger.sink.rules import Behaviour, Occasions, SinkRule

BACKLOG = 512


class Sink:
    """`with Sink() as sink: sink.port`. Runs in a thread; `messages` and `attempts` may be read at any time.

    `behaviour` is the fields of Behaviour. `keep` is a folder that gets a .eml file per message. With
    `remembers_messages` off the records have no message text. Raises ValueError for a host that is not
    this machine's own.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keep: Path | None = None,
        remembers_messages: bool = True,
        now: Callable[[], float] = time.time,
        **behaviour: Any,
    ) -> None:
        _require_loopback(host)
        self.behaviour = Behaviour(**behaviour)
        self.occasions = Occasions(self.behaviour.rules)
        self.host = host
        self.port = port
        self.now = now
        self.messages: list[Received] = []
        self.attempts: list[tuple[float, str]] = []
        """When each MAIL FROM came, and its address."""
        self.connections = 0
        """How many have been opened so far."""
        self._remembers_messages = remembers_messages
        self._folder = _Folder(keep) if keep is not None else None
        self._open: set[OpenDialogue] = set()
        self._ready = threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)

    def __enter__(self) -> Sink:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when connections are taken. Raises OSError when the port is not free."""
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def hang_up(self) -> None:
        """Drops all open connections without a word."""
        self._loop.call_soon_threadsafe(self._hang_up)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def duplicates(self) -> dict[str, int]:
        """By delivery: how many copies too many arrived. Empty when none."""
        return duplicates_among(self.messages)

    def opened(self, dialogue: OpenDialogue) -> int:
        self._open.add(dialogue)
        self.connections += 1
        return self.connections

    def closed(self, dialogue: OpenDialogue) -> None:
        self._open.discard(dialogue)

    def attempted(self, at: float, mail_from: str) -> None:
        self.attempts.append((at, mail_from))

    def keep(self, received: Received) -> None:
        if self._folder is not None:
            self._folder.keep(received)
        self.messages.append(received if self._remembers_messages else received._replace(message=b""))

    def statistics(self) -> str:
        return json.dumps(
            {
                "messages": len(self.messages),
                "duplicates": sum(self.duplicates().values()),
                "attempts": len(self.attempts),
                "connections": self.connections,
            }
        )

    def _run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Serves until `stop`, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        context = self.behaviour.context if self.behaviour.tls == "TLS" else None
        try:
            server = await self._loop.create_server(
                lambda: SinkDialogue(self), self.host, self.port, backlog=BACKLOG, ssl=context
            )
        except OSError as error:
            self._failed = error
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        self._hang_up()
        await asyncio.sleep(0)

    def _hang_up(self) -> None:
        for dialogue in list(self._open):
            dialogue.hang_up()


def duplicates_among(messages: Iterable[Received]) -> dict[str, int]:
    """By delivery, over any number of sinks: how many copies too many arrived."""
    counts = Counter(received.delivery for received in messages)
    return {delivery: count - 1 for delivery, count in counts.items() if count > 1}


class _Folder:
    """One .eml file per message, numbered on from what is there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        numbers = (found.name.partition("-")[0] for found in folder.glob("*.eml"))
        self._folder = folder
        self._last = max((int(number) for number in numbers if number.isdecimal()), default=0)

    def keep(self, received: Received) -> None:
        self._last += 1
        recipient = re.sub(r"[^A-Za-z0-9@.+_-]", "_", received.rcpt_to[0])[:80]
        envelope = f"Return-Path: <{received.mail_from}>\r\nDelivered-To: {', '.join(received.rcpt_to)}\r\n"
        path = self._folder / f"{self._last:06d}-{recipient}.eml"
        path.write_bytes(envelope.encode() + received.message)


def _require_loopback(host: str) -> None:
    try:
        is_own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own:
        raise ValueError(f"a sink listens on this machine only, not on {host}")


def main(arguments: list[str] | None = None) -> None:
    """Prints one JSON line when it listens and one with its counts when it ends."""
    parser = argparse.ArgumentParser(prog="python -m postledger.sink", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine alone")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--name", default="sink.invalid", help="what it calls itself")
    parser.add_argument("--keep", type=Path, help="folder for one .eml file per message")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--refuse", metavar="PATTERN", help="recipients to refuse with 550")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input is closed")
    options = parser.parse_args(arguments)
    rules = (
        (SinkRule("rcpt", reply="550 5.1.1 no such mailbox", recipient=options.refuse),)
        if options.refuse
        else ()
    )
    sink = Sink(
        host=options.host,
        port=options.port,
        keep=options.keep,
        remembers_messages=False,
        name=options.name,
        pipelining=not options.no_pipelining,
        latency=options.latency,
        rules=rules,
    )
    _serve_as_process(sink, ends_with_parent=options.with_parent)


def _serve_as_process(sink: Sink, *, ends_with_parent: bool) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    sink.start()
    print(json.dumps({"host": sink.host, "port": sink.port}), flush=True)
    if ends_with_parent:
        threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()
    ended.wait()
    sink.stop()
    print(sink.statistics(), flush=True)


def _end_with_input(ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    ended.set()
