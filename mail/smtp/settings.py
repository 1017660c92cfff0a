"""How to reach and sign in to one SMTP server: the part of a server's settings that the wire needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

TLS_TYPES = ("none", "STARTTLS", "TLS")
AUTH_PROTOCOLS = ("none", "plain", "login", "cram")


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Raises ValueError for a `tls_type` or `auth_protocol` that is not known."""

    host: str
    port: int
    auth_protocol: str = "none"
    username: str = ""
    tls_type: str = "none"
    tls_skip_verify: bool = False
    hello_hostname: str = ""

    def __post_init__(self) -> None:
        if self.tls_type not in TLS_TYPES:
            raise ValueError(f"tls_type must be one of {', '.join(TLS_TYPES)}")
        if self.auth_protocol not in AUTH_PROTOCOLS:
            raise ValueError(f"auth_protocol must be one of {', '.join(AUTH_PROTOCOLS)}")

    @classmethod
    def of(cls, settings: SmtpSettings | Mapping[str, Any]) -> SmtpSettings:
        """From all the settings of a server, as its events have them."""
        if isinstance(settings, SmtpSettings):
            return settings
        return cls(**{field.name: settings[field.name] for field in fields(cls) if field.name in settings})
