"""Why a server could not be used. None of these texts holds a password or a person's address."""

from __future__ import annotations

from domain.delivery.reply import Stage


class TransportError(Exception):
    """`code` and `text` are the server's reply, with our secrets struck out; without a reply `code` is
    None and `text` is the reason in our words. `stage` is the step that failed: connect (with the greeting),
    ehlo, starttls (any beginning of TLS) or auth."""

    def __init__(self, stage: Stage, text: str, code: int | None = None) -> None:
        super().__init__(stage, text, code)
        self.stage = stage
        self.text = text
        self.code = code

    def __str__(self) -> str:
        return f"{self.stage.value}: {self.text if self.code is None else f'refused with {self.code}'}"

    @property
    def transient(self) -> bool:
        """Whether it may pass by itself, without anybody changing the settings or the server."""
        return self.code is None or self.code < 500


class ConnectError(TransportError):
    """No conversation came about, or it broke off."""


class GreetingError(TransportError):
    """The server answered, and does not want to talk: its greeting or its answer to EHLO is a refusal."""


class TlsError(TransportError):
    """Encryption was asked for and did not come about, or the certificate is not to be trusted."""

    @property
    def transient(self) -> bool:
        return self.code is not None and self.code < 500


class LoginError(TransportError):
    """The server does not know this user name and password, or not this way to sign in."""

    @property
    def transient(self) -> bool:
        return self.code is not None and self.code < 500
