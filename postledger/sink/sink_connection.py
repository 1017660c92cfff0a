"""One connection of a sink: bytes into lines and messages, answers by the rules and back into bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from postledger.sink.sink_keeper import Keeper
from postledger.sink.sink_rules import SinkRule, Step

LONGEST_LINE = 4_096
END_OF_DATA = b"\r\n.\r\n"


class SinkConnection(asyncio.Protocol):
    """What lines and messages mean is for the dialogue built on it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._behaviour = keeper.behaviour
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._late: deque[bytes] = deque()
        self._replies: list[bytes] = []
        self._is_waiting = self._is_closed = self._is_in_data = False
        self._is_encrypted = self._behaviour.tls == "TLS"
        self._handshake: asyncio.Task[None] | None = None

    def _line_came(self, line: bytes) -> None:
        """Without its end."""
        raise NotImplementedError

    def _message_came(self, message: bytes) -> None:
        """As it was before dot-stuffing."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._number = self._keeper.opened(self)
        most = self._behaviour.most_connections
        if most is not None and self._keeper.open_connections > most:
            self._say_and_close("421 4.7.0 too many connections from you")
            return
        self._answer("greeting", f"220 {self._behaviour.name} ESMTP sink")
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self._is_closed = True
        self._keeper.closed(self)

    def hang_up(self) -> None:
        self._is_closed = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._behaviour.latency:
            self._late.append(data)
            self._loop.call_later(self._behaviour.latency, self._arrived)
            return
        self._unread += data
        self._go_on()

    def _arrived(self) -> None:
        self._unread += self._late.popleft()
        self._go_on()

    def _go_on(self) -> None:
        while self._unread and not (self._is_waiting or self._is_closed):
            if not (self._read_message() if self._is_in_data else self._read_line()):
                break
        self._send()

    def _read_line(self) -> bool:
        end = self._unread.find(b"\n") + 1
        if not end:
            if len(self._unread) > LONGEST_LINE:
                self._say_and_close("500 5.5.2 line too long")
            return False
        line, self._unread = self._unread[:end].rstrip(b"\r\n"), self._unread[end:]
        if self._unread and not self._behaviour.pipelining:
            self._say_and_close("503 5.5.0 improper use of pipelining")
        else:
            self._line_came(line)
        return True

    def _read_message(self) -> bool:
        end = self._unread.find(END_OF_DATA)
        if end < 0:
            return False
        # The CRLF in front is that of the DATA command: it makes the first line like any other.
        stuffed, self._unread = self._unread[: end + 2], self._unread[end + len(END_OF_DATA) :]
        self._is_in_data = False
        if b"\r\n.." in stuffed:
            stuffed = stuffed.replace(b"\r\n..", b"\r\n.")
        self._message_came(stuffed[2:])
        return True

    def _starttls(self) -> None:
        if self._behaviour.tls != "STARTTLS" or self._is_encrypted:
            self._say("503 5.5.1 not here")
        elif self._answer("starttls", "220 2.0.0 go ahead"):
            self._is_waiting = True
            self._unread = b""
            self._send()
            self._handshake = self._loop.create_task(self._encrypt())

    async def _encrypt(self) -> None:
        assert self._behaviour.context is not None
        try:
            transport = await self._loop.start_tls(
                self._transport, self, self._behaviour.context, server_side=True
            )
        except OSError:
            self.hang_up()
            return
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._is_encrypted = True
        self._is_waiting = False
        self._go_on()

    def _answer(self, step: Step, usual: str, *recipients: str) -> bool:
        """Answers as the rules say, else as usual. True when the answer is 2xx."""
        rules = self._keeper.occasions
        return self._answer_by(rules.rule_at(step, recipients) if rules.rules else None, usual)

    def _answer_by(self, rule: SinkRule | None, usual: str) -> bool:
        if rule is None:
            self._say(usual)
            return usual[0] == "2"
        answer = rule.reply or usual
        then = self.hang_up if rule.drop else lambda: self._say(answer)
        self._send()
        if rule.closes_in is not None:
            then()
            self._close_in(rule.closes_in)
        elif rule.delay:
            self._is_waiting = True
            self._loop.call_later(rule.delay, self._resume, then)
        else:
            then()
        return answer[0] == "2" and not rule.drop

    def _close_in(self, seconds: float) -> None:
        self._send()
        self._is_waiting = True
        self._loop.call_later(seconds, self._transport.close)

    def _resume(self, then: Callable[[], None]) -> None:
        self._is_waiting = False
        if not self._is_closed:
            then()
            self._go_on()

    def _say(self, reply: str) -> None:
        if reply.startswith("354"):
            self._is_in_data = True
            self._unread = b"\r\n" + self._unread
        self._replies.append(reply.encode() + b"\r\n")

    def _say_and_close(self, reply: str) -> None:
        self._say(reply)
        self._send()
        self._is_closed = True
        self._transport.close()

    def _send(self) -> None:
        if self._replies and not self._is_closed:
            self._transport.write(b"".join(self._replies))
        self._replies.clear()
