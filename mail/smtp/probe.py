"""Trying a server's settings for a person: the whole dialogue up to MAIL, and what to do when it fails."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.delivery.reply import Stage
from mail.smtp.dialogue import Dialogue, DialogueStep
from mail.smtp.envelope import Extensions
from mail.smtp.session import NO_GREETING
from mail.smtp.settings import SmtpSettings
from mail.smtp.transport import connect, exposes_password
from mail.smtp.transport_errors import ConnectError, GreetingError, LoginError, TlsError, TransportError

PROBE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`error` and `remedy` are empty when `ok`; `warnings` may come with either. Secrets are struck out."""

    ok: bool
    steps: tuple[DialogueStep, ...]
    extensions: Extensions
    error: str
    remedy: str
    warnings: tuple[str, ...]


def probe(
    settings: SmtpSettings | Mapping[str, Any],
    password: str = "",
    *,
    timeout: float = PROBE_SECONDS,
    context: ssl.SSLContext | None = None,
) -> ProbeResult:
    """Connects, encrypts, signs in and says QUIT. Never raises for what the server does."""
    settings = SmtpSettings.of(settings)
    dialogue = Dialogue()
    warnings = tuple(_warnings(settings))
    try:
        connection = connect(settings, password, timeout=timeout, context=context, dialogue=dialogue)
    except TransportError as error:
        remedy = remedy_for(error, settings)
        reply = "" if error.code is None else f" {error.text}"
        return ProbeResult(False, tuple(dialogue.steps), Extensions(), f"{error}{reply}", remedy, warnings)
    extensions = connection.extensions
    dialogue.said("QUIT")
    connection.close()
    return ProbeResult(True, tuple(dialogue.steps), extensions, "", "", warnings)


def _warnings(settings: SmtpSettings) -> list[str]:
    found = []
    if exposes_password(settings):
        found.append("The password is sent unencrypted: choose STARTTLS or TLS.")
    if settings.tls_type != "none" and settings.tls_skip_verify:
        found.append("The certificate is not checked: whoever sits in between can read the password.")
    return found


def remedy_for(error: TransportError, settings: SmtpSettings) -> str:
    """What a person can do about it."""
    match error:
        case LoginError():
            return _login_remedy(error)
        case TlsError():
            return _tls_remedy(error, settings)
        case GreetingError():
            return _greeting_remedy(error)
        case ConnectError() if error.text == NO_GREETING and settings.tls_type != "TLS":
            return (
                "A server that says nothing often expects TLS from the first byte (port 465): tls_type TLS."
            )
        case ConnectError(stage=Stage.CONNECT):
            return "Check host and port, and that a firewall lets this machine out to that port."
    return "The server broke the conversation off. Try again; if it stays so, ask its operator."


def _login_remedy(error: TransportError) -> str:
    if error.code is None:
        return "Choose an auth_protocol that the server offers; many offer one only after STARTTLS."
    if error.code < 500:
        return "The server cannot check the password at the moment. Try again later."
    return "Check user name and password; many providers want an app password or an API key here."


def _tls_remedy(error: TransportError, settings: SmtpSettings) -> str:
    if "not trusted" in error.text:
        return (
            "Use the host name that the certificate is made for. For an authority of your own, set "
            "SSL_CERT_FILE; tls_skip_verify gives up the protection."
        )
    if "wrong version number" in error.text or "record layer failure" in error.text:
        return (
            "The server does not speak TLS from the first byte on this port: tls_type STARTTLS, or port 465."
        )
    if settings.tls_type == "STARTTLS" and error.code is None and "offer" in error.text:
        return "Try tls_type TLS with port 465. Without encryption (none) the password would be readable."
    return "Try again; if it stays so, ask the server's operator which encryption it offers on this port."


def _greeting_remedy(error: TransportError) -> str:
    if error.code is not None and error.code < 500:
        return "The server turns everybody or just this machine away for now. Wait, or lower max_conns."
    return "The server refuses this machine: ask its operator to allow its address, or set hello_hostname."
