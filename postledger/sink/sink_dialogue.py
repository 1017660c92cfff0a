"""The server's side of SMTP on one connection of a sink (RFC 5321), strict with its client."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

from postledger.sink.sink_checks import (
    CHALLENGE,
    NO_RECIPIENT,
    fault_of_address,
    fault_of_message,
    fault_of_parameters,
    signed_in,
)
from postledger.sink.sink_connection import SinkConnection
from postledger.sink.sink_keeper import Keeper, Received

_MAIL = re.compile(rb"(?i)MAIL FROM:<([^>]*)>(.*)").fullmatch
_RCPT = re.compile(rb"(?i)RCPT TO:<([^>]+)>(.*)").fullmatch
_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(<[^>\r\n]+>)").search


class SinkDialogue(SinkConnection):
    def __init__(self, keeper: Keeper) -> None:
        super().__init__(keeper)
        self._user: str | None = None
        self._login: list[str] | None = None
        self._messages = 0
        self._forget()

    def _forget(self) -> None:
        self._mail_from: str | None = None
        self._mail_at = 0.0
        self._parameters = ""
        self._rcpt_to: list[str] = []

    def _line_came(self, line: bytes) -> None:
        if self._login is not None:
            self._continue_login(line)
        else:
            self._command(line)

    def _message_came(self, message: bytes) -> None:
        now = self._keeper.now()
        rule = self._keeper.occasions.rule_at("dot", self._rcpt_to)
        fault = (
            fault_of_message(message, self._parameters, self._behaviour) if self._rcpt_to else NO_RECIPIENT
        )
        usual = fault or f"250 2.0.0 kept by {self._behaviour.name}"
        answer = (rule.reply if rule else None) or usual
        keeps = (
            rule.keeps if rule and rule.keeps is not None else answer[0] == "2" and not (rule and rule.drop)
        )
        if keeps and self._rcpt_to:
            self._keeper.keep(self._received(message, now))
        self._forget()
        self._answer_by(rule, usual)
        self._messages += 1
        if self._messages == self._behaviour.most_messages:
            self._close_in(0.0)

    def _received(self, message: bytes, now: float) -> Received:
        found = _MESSAGE_ID(message, 0, message.find(b"\r\n\r\n") + 2)
        return Received(
            mail_at=self._mail_at,
            dot_at=now,
            mail_from=self._mail_from or "",
            rcpt_to=tuple(self._rcpt_to),
            parameters=self._parameters,
            message_id=found.group(1).decode("ascii", "replace") if found else "",
            size=len(message),
            message=message,
            connection=self._number,
            is_encrypted=self._is_encrypted,
            user=self._user,
        )

    def _command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self._mail(line)
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

    def _mail(self, line: bytes) -> None:
        match = _MAIL(line)
        now = self._keeper.now()
        if self._behaviour.users is not None and self._user is None:
            self._say("530 5.7.0 sign in first")
        elif match is None:
            self._say("501 5.5.4 MAIL FROM:<address>")
        elif self._mail_from is not None:
            self._say("503 5.5.1 one sender is enough")
        else:
            sender, parameters = match.group(1).decode("utf-8", "replace"), match.group(2).decode().strip()
            self._keeper.attempted(now, sender)
            fault = fault_of_parameters(parameters, self._behaviour) or fault_of_address(sender, parameters)
            if self._answer("mail", fault or "250 2.1.0 ok"):
                self._mail_from, self._mail_at, self._parameters = sender, now, parameters

    def _rcpt(self, line: bytes) -> None:
        match = _RCPT(line)
        if self._mail_from is None:
            self._say("503 5.5.1 MAIL first")
        elif match is None:
            self._say("501 5.5.4 RCPT TO:<address>")
        else:
            recipient = match.group(1).decode("utf-8", "replace")
            fault = fault_of_address(recipient, self._parameters)
            if self._answer("rcpt", fault or "250 2.1.5 ok", recipient):
                self._rcpt_to.append(recipient)

    def _data(self) -> None:
        if self._mail_from is None or not self._rcpt_to:
            self._answer("data", "503 5.5.1 MAIL first" if self._mail_from is None else NO_RECIPIENT)
        else:
            self._answer("data", "354 end with a dot", *self._rcpt_to)

    def _auth(self, line: bytes) -> None:
        _, mechanism, *initial = line.decode("ascii", "replace").split(" ")
        if self._behaviour.users is None or mechanism.upper() not in self._behaviour.mechanisms:
            self._say("504 5.5.4 not offered")
            return
        self._login = [mechanism.upper()]
        if initial:
            self._continue_login(initial[0].encode())
        elif mechanism.upper() == "CRAM-MD5":
            self._say("334 " + b64encode(CHALLENGE).decode())
        else:
            self._say("334 " + ("VXNlcm5hbWU6" if mechanism.upper() == "LOGIN" else ""))

    def _continue_login(self, line: bytes) -> None:
        assert self._login is not None
        self._login.append(b64decode(line).decode())
        mechanism, *answers = self._login
        if mechanism == "LOGIN" and len(answers) == 1:
            self._say("334 UGFzc3dvcmQ6")
            return
        self._login = None
        user = signed_in(mechanism, answers, self._behaviour.users or {})
        if self._answer("auth", "535 5.7.8 wrong" if user is None else "235 2.7.0 welcome"):
            self._user = user
