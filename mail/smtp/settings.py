"""How to reach and sign in to one SMTP server: the part of a server's settings that the wire needs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from domain.addresses.host_name import AddressError, host_in_ascii
from domain.server.settings import AuthProtocol, TlsType

_NAMES = ("host", "hello_hostname")


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Raises ValueError for a `tls_type` or `auth_protocol` that is not known."""

    host: str
    port: int
    auth_protocol: str = AuthProtocol.NONE
    username: str = ""
    tls_type: str = TlsType.NONE
    tls_skip_verify: bool = False
    hello_hostname: str = ""

    def __post_init__(self) -> None:
        if self.tls_type not in set(TlsType):
            raise ValueError(f"tls_type must be one of {', '.join(TlsType)}")
        if self.auth_protocol not in set(AuthProtocol):
            raise ValueError(f"auth_protocol must be one of {', '.join(AuthProtocol)}")

    @classmethod
    def of(cls, settings: SmtpSettings | Mapping[str, Any]) -> SmtpSettings:
        """From all the settings of a server, as its events have them."""
        if isinstance(settings, SmtpSettings):
            return settings
        known = {field.name: settings[field.name] for field in fields(cls) if field.name in settings}
        return cls(**{**known, **{name: _in_ascii(known[name]) for name in _NAMES if name in known}})


def _in_ascii(name: str) -> str:
    """As DNS and EHLO have it. What is none is left to fail where it is used, as a server's trouble."""
    if name.isascii():
        return name
    with suppress(AddressError):
        return host_in_ascii(name.removesuffix("."), underscores=True)
    return name
