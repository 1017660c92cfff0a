"""The server's side of SMTP on one connection of a sink (RFC 5321), strict with its client."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable

from postledger.sink.checks import (
    NO_RECIPIENT,
    fault_of_address,
    fault_of_message,
    fault_of_parameters,
)
from postledger.sink.keeper import Keeper, MailTransaction
from postledger.sink.login import Login
from postledger.sink.rules import SinkRule, Step

LONGEST_LINE = 4_096
END_OF_DATA = b"\r\n.\r\n"

_MAIL = re.compile(rb"(?i)MAIL FROM:<([^>]*)>(.*)").fullmatch
_RCPT = re.compile(rb"(?i)RCPT TO:<([^>]+)>(.*)").fullmatch


class SinkDialogue(asyncio.Protocol):
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._behaviour = keeper.behaviour
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._late: deque[bytes] = deque()
        self._replies: list[bytes] = []
        self._is_waiting = self._is_closed = self._is_in_data = False
        self._is_encrypted = self._behaviour.tls == "TLS"
        self._user: str | None = None
        self._login: Login | None = None
        self._messages = 0
        self._handshake: asyncio.Task[None] | None = None
        self._forget()

    def _forget(self) -> None:
        self._mail = MailTransaction()

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
        elif self._login is not None:
            self._continue_login(line)
        else:
            self._command(line)
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
        self._finish_message(stuffed[2:])
        return True

    def _finish_message(self, message: bytes) -> None:
        now = self._keeper.now()
        rule = self._keeper.occasions.rule_at("dot", self._mail.rcpt_to)
        fault = (
            fault_of_message(message, self._mail.parameters, self._behaviour)
            if self._mail.rcpt_to
            else NO_RECIPIENT
        )
        usual = fault or f"250 2.0.0 kept by {self._behaviour.name}"
        answer = (rule.reply if rule else None) or usual
        keeps = (
            rule.keeps if rule and rule.keeps is not None else answer[0] == "2" and not (rule and rule.drop)
        )
        if keeps and self._mail.rcpt_to:
            self._keeper.keep(self._mail.received(message, now, self._number, self._is_encrypted, self._user))
        self._forget()
        self._answer_by(rule, usual)
        self._messages += 1
        if self._messages == self._behaviour.most_messages:
            self._close_in(0.0)

    def _command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self._begin(line)
        elif verb == b"RCPT":
            self._rcpt(line)
        elif verb == b"DATA":
            self._data()
        elif verb == b"RSET":
            self._forget()
            self._answer("rset", "250 2.0.0 forgotten")
        elif verb in (b"EHLO", b"HELO"):
            self._hello(extended=verb == b"EHLO")
        elif verb == b"STAR":
            self._starttls()
        elif verb == b"AUTH":
            self._auth(line)
        else:
            self._minor_command(verb)

    def _minor_command(self, verb: bytes) -> None:
        if verb == b"QUIT":
            self._say_and_close("221 2.0.0 bye")
        elif verb == b"NOOP":
            self._say("250 2.0.0 ok")
        elif verb == b"XSTA":
            self._say(f"250 {self._keeper.statistics()}")
        else:
            self._say("502 5.5.1 not known here")

    def _hello(self, *, extended: bool) -> None:
        self._forget()
        lines = [self._behaviour.name]
        if extended:
            lines += self._behaviour.extensions(is_encrypted=self._is_encrypted)
        rows = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        self._answer("ehlo", "\r\n".join(rows))

    def _begin(self, line: bytes) -> None:
        match = _MAIL(line)
        now = self._keeper.now()
        if self._behaviour.users is not None and self._user is None:
            self._say("530 5.7.0 sign in first")
        elif match is None:
            self._say("501 5.5.4 MAIL FROM:<address>")
        elif self._mail.mail_from is not None:
            self._say("503 5.5.1 one sender is enough")
        else:
            sender, parameters = match.group(1).decode("utf-8", "replace"), match.group(2).decode().strip()
            self._keeper.attempted(now, sender)
            fault = fault_of_parameters(parameters, self._behaviour) or fault_of_address(sender, parameters)
            if self._answer("mail", fault or "250 2.1.0 ok"):
                self._mail = MailTransaction(sender, now, parameters)

    def _rcpt(self, line: bytes) -> None:
        match = _RCPT(line)
        if self._mail.mail_from is None:
            self._say("503 5.5.1 MAIL first")
        elif match is None:
            self._say("501 5.5.4 RCPT TO:<address>")
        else:
            recipient = match.group(1).decode("utf-8", "replace")
            fault = fault_of_address(recipient, self._mail.parameters)
            if self._answer("rcpt", fault or "250 2.1.5 ok", recipient):
                self._mail.rcpt_to.append(recipient)

    def _data(self) -> None:
        if self._mail.mail_from is None or not self._mail.rcpt_to:
            self._answer("data", "503 5.5.1 MAIL first" if self._mail.mail_from is None else NO_RECIPIENT)
        else:
            self._answer("data", "354 end with a dot", *self._mail.rcpt_to)

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

    def _auth(self, line: bytes) -> None:
        _, mechanism, *initial = line.decode("ascii", "replace").split(" ")
        if self._behaviour.users is None or mechanism.upper() not in self._behaviour.mechanisms:
            self._say("504 5.5.4 not offered")
            return
        self._login = Login(mechanism.upper(), self._behaviour.users)
        if initial:
            self._continue_login(initial[0].encode())
        else:
            self._say(self._login.challenge or "")

    def _continue_login(self, line: bytes) -> None:
        assert self._login is not None
        self._login.answer(line)
        if (challenge := self._login.challenge) is not None:
            self._say(challenge)
            return
        user, self._login = self._login.user, None
        if self._answer("auth", "535 5.7.8 wrong" if user is None else "235 2.7.0 welcome"):
            self._user = user

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
