"""Opening an SMTP connection: greeting, EHLO, STARTTLS, AUTH. Blocking.

On smtplib's client, which knows how to speak and how to read EHLO; reading replies, encrypting and
signing in are here, since smtplib sets no bound to a reply, would drop what was injected before TLS
without a word, and signs in with ASCII only.
"""

from __future__ import annotations

import hmac
import ipaddress
import smtplib
import socket
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from domain.delivery.reply import Stage
from mail.smtp.dialogue import Dialogue
from mail.smtp.envelope import Extensions
from mail.smtp.replies import ReplyError, take_reply, text_of
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport_errors import ConnectError, GreetingError, LoginError, TlsError, TransportError

MECHANISMS = {"plain": "PLAIN", "login": "LOGIN", "cram": "CRAM-MD5"}
HIDDEN = "<hidden>"
LONGEST_AUTH_COMMAND = 510
"""RFC 5321 §4.5.3.1.4 without CRLF; a longer initial response waits for the challenge (RFC 4954 §4)."""

READ_AT_ONCE = 65_536
NO_GREETING = "no greeting in time"


class SmtpSession(smtplib.SMTP):
    """A connection on its way to being usable. `password` is never shown, logged or put into an error."""

    def __init__(
        self,
        settings: SmtpSettings,
        password: str,
        *,
        timeout: float,
        context: ssl.SSLContext,
        dialogue: Dialogue | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(local_hostname=settings.hello_hostname or "localhost", timeout=timeout)
        self._settings = settings
        self._password = password
        self._patience = timeout
        self._context = context
        self._dialogue = dialogue or Dialogue()
        self._monotonic = monotonic
        self._unread = b""
        self._is_secret = False

    def open(self) -> None:
        """All the way to a server that is ready for MAIL. Raises TransportError; then nothing stays open."""
        try:
            self._connect()
            self._greeting()
            self._hello()
            if self._settings.tls_type == "STARTTLS":
                self._upgrade()
                self._hello()
            self._log_in()
            if self._unread:
                raise ConnectError(Stage.CONNECT, "the server sent something unasked")
        except BaseException:
            self.close()
            raise

    @property
    def extensions(self) -> Extensions:
        return Extensions.offered(self.esmtp_features)

    def hand_over(self) -> socket.socket:
        """The open socket, which this session forgets."""
        opened, self.sock = self.sock, None
        assert opened is not None
        return opened

    def getreply(self) -> tuple[int, bytes]:
        """Raises ReplyError, TimeoutError after `timeout` for the whole reply, ConnectionError at its end."""
        assert self.sock is not None
        deadline = self._monotonic() + self._patience
        while (reply := take_reply(self._unread)) is None:
            self.sock.settimeout(max(0.001, deadline - self._monotonic()))
            data = self.sock.recv(READ_AT_ONCE)
            if not data:
                raise ConnectionAbortedError("the server closed the connection")
            self._unread += data
        code, lines, self._unread = reply
        for number, line in enumerate(lines, 1):
            dash = " " if number == len(lines) else "-"
            self._dialogue.heard(f"{code}{dash}{self._without_secrets(text_of([line]))}")
        return code, b"\n".join(lines)

    def putcmd(self, cmd: str, args: str = "") -> None:
        line = f"{cmd} {args}".strip()
        if self._is_secret:
            verbs = line.split(" ")[:2] if line.startswith("AUTH ") else []
            shown = " ".join([*verbs, HIDDEN] if len(line.split(" ")) != len(verbs) else verbs)
            self._dialogue.said(shown)
        else:
            self._dialogue.said(line)
        super().putcmd(cmd, args)

    def _connect(self) -> None:
        settings = self._settings
        self._dialogue.note(f"connecting to {settings.host} port {settings.port}")
        with self._failing_as(ConnectError, Stage.CONNECT, "no connection in time"):
            self.sock = socket.create_connection((settings.host, settings.port), self._patience)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.local_hostname = settings.hello_hostname or _own_name(self.sock)
        if settings.tls_type == "TLS":
            self._encrypt()

    def _greeting(self) -> None:
        with self._failing_as(ConnectError, Stage.CONNECT, NO_GREETING):
            code, text = self.getreply()
        if code != 220:
            raise GreetingError(Stage.CONNECT, self._shown(text), code)

    def _hello(self) -> None:
        with self._failing_as(ConnectError, Stage.EHLO, "no answer to EHLO in time"):
            code, text = self.ehlo()
            if code >= 500:
                code, text = self.helo()
        if not 200 <= code < 300:
            raise GreetingError(Stage.EHLO, self._shown(text), code)

    def _upgrade(self) -> None:
        """STARTTLS (RFC 3207). The EHLO that follows forgets what was offered in plain text; nothing else
        that was said in plain text may reach into what follows."""
        if not self.has_extn("starttls"):
            raise TlsError(Stage.STARTTLS, "the server does not offer STARTTLS")
        with self._failing_as(ConnectError, Stage.STARTTLS, "no answer to STARTTLS in time"):
            code, text = self.docmd("STARTTLS")
        if code != 220:
            raise TlsError(Stage.STARTTLS, self._shown(text), code)
        if self._unread:
            raise TlsError(Stage.STARTTLS, "plain text was injected after STARTTLS")
        self._encrypt()

    def _encrypt(self) -> None:
        assert self.sock is not None
        with self._failing_as(TlsError, Stage.STARTTLS, "no end of the handshake in time"):
            self.sock.settimeout(self._patience)
            encrypted = self._context.wrap_socket(self.sock, server_hostname=self._settings.host.rstrip("."))
            self.sock = encrypted
        cipher = encrypted.cipher()
        self._dialogue.note(f"encrypted with {encrypted.version()} {cipher[0] if cipher else ''}".rstrip())

    def _log_in(self) -> None:
        """AUTH (RFC 4954) with the one mechanism that the settings name."""
        if self._settings.auth_protocol == "none":
            return
        mechanism = MECHANISMS[self._settings.auth_protocol]
        offered = self.esmtp_features.get("auth", "").upper().split()
        if mechanism not in offered:
            known = " ".join(dict.fromkeys(offered)) or "nothing"
            raise LoginError(Stage.AUTH, f"the server does not offer AUTH {mechanism}; it offers {known}")
        self._is_secret = True
        try:
            with self._failing_as(ConnectError, Stage.AUTH, "no answer to AUTH in time"):
                code, text = self._answer_challenges(mechanism)
        finally:
            self._is_secret = False
        if code != 235:
            raise LoginError(Stage.AUTH, self._shown(text), code)

    def _answer_challenges(self, mechanism: str) -> tuple[int, bytes]:
        answers = self._answers(mechanism)
        first = b64encode(answers[0](b"")).decode() if mechanism == "PLAIN" else ""
        if first and len(f"AUTH PLAIN {first}") <= LONGEST_AUTH_COMMAND:
            return self.docmd("AUTH", f"PLAIN {first}")
        code, text = self.docmd("AUTH", mechanism)
        for answer in answers:
            if code != 334:
                return code, text
            code, text = self.docmd(b64encode(answer(b64decode(text, validate=False))).decode())
        if code == 334:
            self.docmd("*")
            raise LoginError(Stage.AUTH, "the server keeps asking")
        return code, text

    def _answers(self, mechanism: str) -> list[Callable[[bytes], bytes]]:
        user, secret = self._settings.username.encode(), self._password.encode()
        if mechanism == "PLAIN":
            return [lambda _: b"\0" + user + b"\0" + secret]
        if mechanism == "LOGIN":
            return [lambda _: user, lambda _: secret]
        return [lambda challenge: user + b" " + hmac.new(secret, challenge, "md5").hexdigest().encode()]

    def _shown(self, reply: bytes) -> str:
        return self._without_secrets(text_of(reply.split(b"\n")))

    def _without_secrets(self, text: str) -> str:
        secret, user = self._password.encode(), self._settings.username.encode()
        for given in (secret, b64encode(secret), b64encode(b"\0" + user + b"\0" + secret)):
            if self._password:
                text = text.replace(given.decode(), HIDDEN)
        return text

    @contextmanager
    def _failing_as(self, kind: type[TransportError], stage: Stage, silence: str) -> Iterator[None]:
        try:
            yield
        except ssl.SSLError as error:
            raise TlsError(Stage.STARTTLS, _tls_reason(error)) from None
        except (OSError, UnicodeError, ValueError, ReplyError, smtplib.SMTPException) as error:
            # Not chained: smtplib's and the codecs' errors quote what was being sent.
            reason = silence if isinstance(error, TimeoutError) else _reason(error)
            raise kind(stage, reason) from None


@cache
@cache
def tls_context(skip_verify: bool) -> ssl.SSLContext:
    """The system's trust (or SSL_CERT_FILE's), host names checked, TLS 1.2 at least."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@cache
def _qualified_name() -> str:
    name = socket.getfqdn()
    return name if "." in name.strip(".") and name.isascii() else ""


def _own_name(connected: socket.socket) -> str:
    """The name to give in EHLO: a qualified one, else an address literal (RFC 5321 §4.1.4)."""
    if name := _qualified_name():
        return name
    address = ipaddress.ip_address(connected.getsockname()[0].split("%")[0])
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {error.verify_message}"
    return f"the handshake failed: {(error.reason or 'unknown reason').replace('_', ' ').lower()}"


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved: {error.strerror}"
    if isinstance(error, UnicodeError):
        return "a name cannot be encoded"
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionAbortedError):
        return "the server closed the connection"
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    if isinstance(error, ReplyError):
        return str(error)
    return "the server's answer makes no sense"
