"""Requests that are still arriving, one for each connection that has begun one.

A request waits here, in the server's loop, until all of it is there, and takes a thread only then: those who
send slowly, or begin and go no further, keep nobody from being answered. Only a body that is longer than most
is left to the thread, which refuses it unread, or knows whose it is.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]

from domain.addresses.network import network_of

SECONDS = 15.0
"""In which a request arrives, from when its connection is there or, on a kept one, from its first byte."""
MOST = 512
"""When more are arriving, whoever sends the most of them loses the oldest."""
LONGEST_HEAD = 32 * 1024
LONGEST_BODY = 64 * 1024
LONGEST_CHUNKED = 1024 * 1024
"""Bytes; the last is that of a body in chunks with all that frames them, which may be six times the body."""

END = b"\r\n\r\n"
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,256})?\r\n")
LONGEST_SIZE_LINE = 300


class ReadRequest(Request):  # type: ignore[misc]
    """gunicorn drops fields with an underscore without a word, for they would pass for others. That there was
    one is kept, under a name that no client sends: whoever asks who sent the request has to know."""

    def _apply_header_policy(self, name: str, *given: Any, **more: Any) -> tuple[str, str]:
        return super()._apply_header_policy(name, *given, **more) or ("POSTLEDGER-DROPPED-FIELD", "")


@dataclass
class Chunks:
    """How far a body in chunks (RFC 9112, section 7.1) was looked through, which begins at `at`."""

    at: int
    body: int = 0
    trailers_looked_at: int = 0

    def is_complete(self, data: bytearray) -> bool:
        """What is longer than LONGEST_BODY, with that much to spare, counts as complete, and so does what is
        not chunked at all: the thread refuses both without waiting for more."""
        while line := CHUNK_SIZE.match(data, self.at):
            size = int(line[1], 16)
            if size == 0:
                begin = max(line.end() - 2, self.trailers_looked_at - len(END))
                self.trailers_looked_at = len(data)
                return data.find(END, begin) >= 0
            if line.end() + size + 2 > len(data):
                return self.body + len(data) - line.end() > 2 * LONGEST_BODY
            self.body += size
            self.at = line.end() + size + 2
        return data.find(b"\r\n", self.at, self.at + LONGEST_SIZE_LINE) >= 0


@dataclass
class ArrivingRequest:
    """`config` is gunicorn's. `data` is what came so far."""

    config: Any
    client: Any
    data: bytearray
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    awaits_continue: bool = False
    _looked_at: int = 0
    _body_at: int = 0
    _length: int = 0
    _chunks: Chunks | None = None

    def is_ready(self) -> bool:
        """Whether it is whole, or longer than waits here. What makes no sense is ready to be refused."""
        if not self._body_at and not self._has_head():
            return False
        if self._chunks is not None:
            return self._chunks.is_complete(self.data)
        return self._length > LONGEST_BODY or len(self.data) - self._body_at >= self._length

    def is_too_long(self) -> bool:
        return len(self.data) - self._body_at > (LONGEST_CHUNKED if self._body_at else LONGEST_HEAD)

    def _has_head(self) -> bool:
        """The parser that will read the request says where its body ends: no two rules can differ on it."""
        end = self.data.find(END, max(0, self._looked_at - len(END)))
        self._looked_at = len(self.data)
        if end < 0:
            return False
        self._body_at = end + len(END)
        head = IterUnreader([bytes(self.data[: self._body_at])])
        try:
            request = ReadRequest(self.config, head, self.client)
        except Exception:  # noqa: BLE001 (whatever it is, the thread meets with it again and answers)
            return True
        if isinstance(request.body.reader, ChunkedReader):
            self._chunks = Chunks(self._body_at)
        else:
            self._length = int(request.body.reader.length)
        self.awaits_continue = request._expected_100_continue
        return True


class Arrivals:
    """The connections on which requests are arriving, the longest first."""

    def __init__(self) -> None:
        self._requests: dict[Any, ArrivingRequest] = {}
        self._networks: Counter[str] = Counter()

    def add(self, connection: Any, request: ArrivingRequest) -> None:
        self._requests[connection] = request
        self._networks[_network(connection)] += 1

    def __getitem__(self, connection: Any) -> ArrivingRequest:
        return self._requests[connection]

    def remove(self, connection: Any) -> ArrivingRequest:
        network = _network(connection)
        self._networks[network] -= 1
        if not self._networks[network]:
            del self._networks[network]
        return self._requests.pop(connection)

    def surplus(self) -> Any | None:
        """Which connection has to go before one more comes, if any has to."""
        if len(self._requests) < MOST:
            return None
        ((most, _),) = self._networks.most_common(1)
        return next(one for one in self._requests if _network(one) == most)

    def overdue(self, *, is_stopping: bool) -> list[Any]:
        now = time.monotonic()
        return [
            one
            for one, request in self._requests.items()
            if request.deadline <= now or (is_stopping and not request.data)
        ]


def _network(connection: Any) -> str:
    client = connection.client
    return network_of(client[0]) if isinstance(client, tuple) else ""
