"""An open SMTP connection that never makes its owner wait, plain or encrypted."""

from __future__ import annotations

import ipaddress
import logging
import math
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from mail.smtp.dialogue import Dialogue
from mail.smtp.envelope import Extensions
from mail.smtp.session import SmtpSession, tls_context
from mail.smtp.settings import SmtpSettings
from mail.smtp.transaction import DATA_BLOCK_SECONDS, Outcome, Transaction

log = logging.getLogger(__name__)

CONNECT_SECONDS = 60.0
READ_AT_ONCE = 16_384
"""As much as a TLS record holds: what stayed in one would be announced by no socket."""

TLS_RECORD = 16_384

MOST_UNASKED = 200
"""Characters to quote of what a server says without having been asked."""


def connect(
    settings: SmtpSettings | Mapping[str, Any],
    password: str = "",
    *,
    timeout: float = CONNECT_SECONDS,
    context: ssl.SSLContext | None = None,
    dialogue: Dialogue | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Connection:
    """Connects, encrypts and signs in as the settings say; each step has `timeout` seconds. Blocking.

    `context` replaces the system's trust, for a certificate authority of one's own.
    Raises TransportError: ConnectError, GreetingError, TlsError or LoginError.
    """
    settings = SmtpSettings.of(settings)
    if exposes_password(settings):
        _warn_of_exposure(settings.host, settings.port)
    session = SmtpSession(
        settings,
        password,
        timeout=timeout,
        context=context or tls_context(settings.tls_skip_verify),
        dialogue=dialogue,
        monotonic=monotonic,
    )
    session.open()
    return Connection(session.hand_over(), session.extensions)


def exposes_password(settings: SmtpSettings) -> bool:
    """Whether the password crosses a network unencrypted (with cram, what it can be guessed from)."""
    return (
        settings.auth_protocol != "none" and settings.tls_type == "none" and not _is_loopback(settings.host)
    )


@cache
def _warn_of_exposure(host: str, port: int) -> None:
    log.warning("the password for %s port %d is sent unencrypted, since its tls_type is none", host, port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


class Connection:
    """Owns a socket on which EHLO, STARTTLS and AUTH are done.

    What is queued goes out with `flush`; `unsent` says how much is left. A broken connection is noticed by
    `receive`, which first gives out what the server said before: often the reason.
    """

    __slots__ = ("_flush_after_reading", "_unsent", "closed_because", "extensions", "socket")

    def __init__(self, opened: socket.socket, extensions: Extensions) -> None:
        opened.setblocking(False)
        self.socket = opened
        self.extensions = extensions
        self.closed_because = ""
        self._unsent: bytes | memoryview = b""
        self._flush_after_reading = False

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that were queued and that the operating system has not taken."""
        return len(self._unsent)

    @property
    def wants_write(self) -> bool:
        """Whether to call `flush` when the socket is writable. Not so when TLS must read first."""
        return bool(self._unsent and not self._flush_after_reading and not self.closed_because)

    def queue(self, data: bytes) -> None:
        self._unsent = bytes(self._unsent) + data if self._unsent else data

    def flush(self) -> bool:
        """Hands the operating system what it takes now. True when nothing is left."""
        unsent = self._unsent
        while unsent and not self.closed_because:
            sent = self.send(self._next_write())
            if not sent:
                break
            unsent = self._unsent = memoryview(unsent)[sent:] if sent < len(unsent) else b""
        return not unsent

    def _next_write(self) -> bytes | memoryview:
        """All of it; under TLS no more than one record, since a write of several that is cut short does not
        say how many of them went out."""
        if len(self._unsent) <= TLS_RECORD or not isinstance(self.socket, ssl.SSLSocket):
            return self._unsent
        return memoryview(self._unsent)[:TLS_RECORD]

    def send(self, data: bytes | memoryview) -> int:
        """How many bytes were taken: 0 when none can be now, or ever again, as `closed_because` then says."""
        try:
            return self.socket.send(data)
        except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError):
            return 0
        except ssl.SSLWantReadError:
            self._flush_after_reading = True
            return 0
        except OSError as error:
            self.closed_because = _reason(error)
            return 0

    def receive(self) -> bytes | None:
        """What has come in; None when nothing has; b"" when nothing more will (see `closed_because`)."""
        try:
            data = self.socket.recv(READ_AT_ONCE)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = None
        except OSError as error:
            self.closed_because = self.closed_because or _reason(error)
            return b""
        if self._flush_after_reading:
            self._flush_after_reading = False
            self.flush()
        if data == b"":
            self.closed_because = self.closed_because or "the server closed the connection"
        return data

    def is_quiet(self) -> bool:
        """For an idle connection: whether it can still be used. What the server says unasked, such as 421
        before it hangs up, speaks against it."""
        if self._unsent or self.closed_because:
            return False
        unasked = self.receive()
        if unasked:
            self.spoke_unasked(unasked)
        return unasked is None

    def spoke_unasked(self, data: bytes) -> str:
        """Why a connection on which `data` came in without a command before it cannot be used."""
        first = data.partition(b"\n")[0].decode("utf-8", "replace").strip()[:MOST_UNASKED]
        self.closed_because = self.closed_because or f"the server spoke unasked: {first}"
        return self.closed_because

    def transaction(self, mail_from: str, rcpt_to: str, message: bytes) -> Transaction:
        return Transaction(mail_from, rcpt_to, message, self.extensions)

    def close(self) -> None:
        """Says QUIT unless that would fall into the middle of a message, and waits for no answer."""
        if not self._unsent and not self.closed_because:
            self.send(b"QUIT\r\n")
        self.closed_because = self.closed_because or "closed here"
        self.socket.close()


def deliver(
    connection: Connection,
    transaction: Transaction,
    *,
    at_most: float = math.inf,
    monotonic: Callable[[], float] = time.monotonic,
) -> Outcome:
    """One whole transaction, waiting for each answer as long as RFC 5321 §4.5.3.2 says, but no longer than
    `at_most` seconds. Blocking."""
    poll = select.poll()
    connection.queue(transaction.start())
    state, until = transaction.state, monotonic() + min(at_most, transaction.deadline)
    while transaction.outcome is None:
        connection.flush()
        wants_write = connection.wants_write
        poll.register(connection, select.POLLIN | select.POLLOUT if wants_write else select.POLLIN)
        patience = min(at_most, DATA_BLOCK_SECONDS) if wants_write else max(0.0, until - monotonic())
        if not poll.poll(patience * 1000):
            return transaction.timed_out(connection.unsent)
        data = connection.receive()
        if data:
            connection.queue(transaction.receive(data, connection.unsent))
        elif data is not None:
            return transaction.lost(connection.closed_because, connection.unsent)
        if transaction.state is not state or wants_write:
            state, until = transaction.state, monotonic() + min(at_most, transaction.deadline)
    return transaction.outcome


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLEOFError):
        return "the server closed the connection"
    if isinstance(error, ssl.SSLError):
        return f"encryption broke: {(error.reason or 'unknown reason').replace('_', ' ').lower()}"
    return f"connection lost: {(error.strerror or type(error).__name__).lower()}"
