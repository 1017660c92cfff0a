"""One SMTP mail transaction (RFC 5321 §3.3) as a state machine without a socket.

It says what to write and is told what was read; whoever owns the connection does the reading, the
writing and the waiting. With PIPELINING the envelope goes out in one write (RFC 2920).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from domain.delivery.reply import Stage
from mail.smtp.envelope import FINAL_DOT, Extensions, Obstacle, commands, framed
from mail.smtp.replies import MAX_TEXT, ReplyError, take_reply, text_of

DATA_BLOCK_SECONDS = 180.0
"""RFC 5321 §4.5.3.2.5: how long a part of the message may wait for the network to take it."""


class TransactionState(StrEnum):
    """Whose reply is awaited. LONE_DOT and RSET only tidy up after a refusal."""

    READY = "ready"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"
    LONE_DOT = "lone_dot"
    RSET = "rset"
    DONE = "done"


class OutcomeKind(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    LOST = "lost"
    PROTOCOL_ERROR = "protocol_error"


# Looking a member up on its class costs more than all else in the common path.
READY, MAIL, RCPT, DATA, DOT, LONE_DOT, RSET, DONE = TransactionState
AT_DOT = Stage.DOT
ACCEPTED, REFUSED, LOST, PROTOCOL_ERROR = OutcomeKind

SECONDS = {READY: 300.0, MAIL: 300.0, RCPT: 300.0, DATA: 120.0, DOT: 600.0}
SECONDS |= {LONE_DOT: 60.0, RSET: 60.0, DONE: 0.0}
"""RFC 5321 §4.5.3.2. The last ones decide nothing any more and need no such patience."""

STAGES = {READY: Stage.MAIL, MAIL: Stage.MAIL, RCPT: Stage.RCPT, DATA: Stage.DATA, DOT: Stage.DOT}


class Outcome(NamedTuple):
    """How a transaction ended.

    `code` is None where no reply decided it. `text` is the server's, unmasked: it may quote an address.
    `stage` is whose reply decided. `dot_sent` is true when a byte of the dot that ends the message may
    have left this machine; the lone dot after a refused recipient ends no message and does not count.
    `replied` is whether the server answered anything at all. `connection_usable` is whether it can carry
    another transaction. `local` marks a refusal of our own: this server cannot take this message, and
    nothing was sent.
    """

    kind: OutcomeKind
    code: int | None
    text: str
    stage: Stage
    dot_sent: bool
    replied: bool = True
    connection_usable: bool = False
    local: bool = False

    @property
    def accepted(self) -> bool:
        return self.kind is ACCEPTED

    @property
    def is_unknown(self) -> bool:
        """Nobody can say whether the server took the message (RFC 1047)."""
        return self.dot_sent and self.kind in (LOST, PROTOCOL_ERROR)

    @property
    def is_hang_up(self) -> bool:
        """Whether the server had closed the connection, or says so now, before it saw this e-mail."""
        is_closing = self.code == 421 and self.stage is Stage.MAIL
        return is_closing or (self.code is None and not self.replied)


class Transaction:
    """`message` has CRLF line ends; dots are stuffed here.

    `outcome` is None until the dialogue is at rest. It is there at once, and `start` returns nothing, when
    this server cannot take the message. Raises ValueError for a message that does not end with CRLF.
    """

    __slots__ = (
        "_body",
        "_envelope",
        "_mail_taken",
        "_pipelining",
        "_rcpt_taken",
        "_replied",
        "_unread",
        "_verdict",
        "outcome",
        "state",
    )

    def __init__(
        self,
        mail_from: str,
        rcpt_to: str,
        message: bytes,
        extensions: Extensions = Extensions(),  # noqa: B008
    ) -> None:
        self.state = READY
        self.outcome: Outcome | None = None
        self._body = framed(message)
        self._pipelining = extensions.pipelining
        self._unread = b""
        self._verdict: Outcome | None = None
        self._mail_taken = self._rcpt_taken = self._replied = False
        envelope = commands(mail_from, rcpt_to, message, extensions)
        if isinstance(envelope, Obstacle):
            code, text, about = envelope
            self._verdict = Outcome(REFUSED, code, text, Stage(about), False, local=True)
            self._end(True)
        else:
            self._envelope = envelope

    def start(self) -> bytes:
        """The first bytes to write: MAIL, or the whole envelope where the server offers PIPELINING."""
        if self.outcome is not None:
            return b""
        self.state = MAIL
        mail, rcpt = self._envelope
        return mail + rcpt + b"DATA\r\n" if self._pipelining else mail

    @property
    def deadline(self) -> float:
        """Seconds that the server has for the reply awaited now; see also DATA_BLOCK_SECONDS."""
        return SECONDS[self.state]

    def receive(self, data: bytes, unsent: int = 0) -> bytes:
        """Takes what was read and returns what to write next, perhaps nothing.

        `unsent` is how many bytes of what this transaction gave out the operating system has not taken
        yet: a reply that comes before the whole message is out is no answer to it.
        """
        if not self._unread and not unsent:
            if self.state is DOT:
                if data[:4] == b"250 " and data.find(b"\n") == len(data) - 1 <= MAX_TEXT:
                    text = data[4:].strip().decode("utf-8", "replace")
                    self.outcome = Outcome(ACCEPTED, 250, text, AT_DOT, True, True, True)
                    self.state = DONE
                    return b""
            elif self.state is MAIL and self._pipelining and _GO_AHEAD(data):
                self.state = DOT
                self._replied = True
                return self._body
        return self._read(data, unsent)

    def lost(self, reason: str, unsent: int = 0) -> Outcome:
        """The connection is gone or given up, for `reason`. A refusal that is certain stays the outcome."""
        return self.outcome or self._break_off(LOST, reason, unsent)

    def timed_out(self, unsent: int = 0) -> Outcome:
        return self.lost(f"no answer to {self.state.value.upper()} in time", unsent)

    def _read(self, data: bytes, unsent: int) -> bytes:
        if self.outcome is not None:
            self.outcome = self.outcome._replace(connection_usable=False)
            return b""
        self._unread += data
        try:
            while (reply := take_reply(self._unread)) is not None:
                code, lines, self._unread = reply
                self._replied = True
                command = self._answer(code, text_of(lines), unsent)
                if self.state is DONE or (command and not self._unread):
                    return command
                if command:
                    self._refuse_premature()
                    return b""
        except ReplyError as error:
            self._break_off(PROTOCOL_ERROR, str(error), unsent)
        return b""

    def _refuse_premature(self) -> None:
        """A reply to a command that was never sent. Only 421 may come unasked (RFC 5321 §3.8)."""
        if self.state is DOT:
            self.state = DATA
        reply = take_reply(self._unread)
        if reply is not None and reply[0] == 421:
            self._refuse(421, text_of(reply[1]))
            self._end(False)
        else:
            self._break_off(PROTOCOL_ERROR, "the server replied before it was asked")

    def _answer(self, code: int, text: str, unsent: int) -> bytes:
        if code == 421:
            self._refuse(code, text, unsent)
            self._end(False)
        elif self.state is DOT:
            self._after_dot(code, text, unsent)
        elif self.state is LONE_DOT or self.state is RSET:
            self._end(self.state is LONE_DOT or code < 300)
        elif (code < 300 and self.state is DATA) or (300 <= code < 400 and self.state is not DATA):
            self._break_off(PROTOCOL_ERROR, f"{code} is no answer to {self.state.value.upper()}")
        elif self.state is MAIL:
            return self._after_mail(code, text)
        elif self.state is RCPT:
            return self._after_rcpt(code, text)
        else:
            return self._after_data(code, text)
        return b""

    def _after_mail(self, code: int, text: str) -> bytes:
        self._mail_taken = code < 300
        if not self._mail_taken:
            self._refuse(code, text)
            if not self._pipelining:
                self._end(True)
                return b""
        self.state = RCPT
        return b"" if self._pipelining else self._envelope[1]

    def _after_rcpt(self, code: int, text: str) -> bytes:
        self._rcpt_taken = code < 300
        if not self._rcpt_taken:
            self._refuse(code, text)
            if not self._pipelining:
                return self._reset()
        self.state = DATA
        return b"" if self._pipelining else b"DATA\r\n"

    def _after_data(self, code: int, text: str) -> bytes:
        if code >= 400:
            self._refuse(code, text)
            if self._mail_taken:
                return self._reset()
            self._end(True)
            return b""
        if self._mail_taken and self._rcpt_taken:
            self.state = DOT
            return self._body
        if self._rcpt_taken:
            # A recipient without a sender: a dot here might have an empty message delivered.
            self._end(False)
            return b""
        self.state = LONE_DOT
        return FINAL_DOT

    def _after_dot(self, code: int, text: str, unsent: int) -> None:
        if code >= 400:
            self._refuse(code, text, unsent)
            self._end(not unsent)
        elif code >= 300 or unsent:
            self._break_off(PROTOCOL_ERROR, f"{code} is no answer to the message", unsent)
        else:
            self._verdict = Outcome(ACCEPTED, code, text, AT_DOT, True)
            self._end(True)

    def _reset(self) -> bytes:
        self.state = RSET
        return b"RSET\r\n"

    def _refuse(self, code: int, text: str, unsent: int = 0) -> None:
        """The first refusal is the one that counts; what follows is its echo."""
        if self._verdict is None:
            self._verdict = Outcome(REFUSED, code, text, STAGES[self.state], self._is_dot_out(unsent))

    def _break_off(self, kind: OutcomeKind, reason: str, unsent: int = 0) -> Outcome:
        if self._verdict is None:
            self._verdict = Outcome(kind, None, reason, STAGES[self.state], self._is_dot_out(unsent))
        return self._end(False)

    def _is_dot_out(self, unsent: int) -> bool:
        return self.state is DOT and unsent < len(FINAL_DOT)

    def _end(self, usable: bool) -> Outcome:
        assert self._verdict is not None
        self.outcome = self._verdict._replace(
            replied=self._replied, connection_usable=usable and not self._unread
        )
        self.state = DONE
        return self.outcome


_GO_AHEAD = re.compile(rb"250 [^\r\n]{0,500}\r\n25[01] [^\r\n]{0,500}\r\n354 [^\r\n]{0,500}\r\n").fullmatch
