"""What an operator sets for one SMTP server: the fields, their defaults, and what each may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Self

from domain import fields
from domain.addresses.host_name import LONGEST as LONGEST_HOST
from domain.addresses.host_name import is_host
from domain.addresses.mailbox import parse_mailbox
from domain.calendar import LONGEST_WINDOWS, parse_windows
from domain.capacity.capacity import LONGEST_WINDOW, Limits

AUTOMATIC = "automatic"
"""The messenger of a campaign that goes through all servers, hence no name for one of them."""

_BILLION = 1_000_000_000

BOUNDS: dict[str, tuple[int, int]] = {
    "port": (1, 65_535),
    "max_conns": (1, 1000),
    "idle_timeout": (1, 3600),
    "wait_timeout": (1, 3600),
    "daily_limit": (0, _BILLION),
    "sliding_window_duration": (0, LONGEST_WINDOW),
    "sliding_window_rate": (0, _BILLION),
}
"""The least and the most of each number."""

LONGEST = {
    "name": 100,
    "host": LONGEST_HOST,
    "username": 320,
    "hello_hostname": LONGEST_HOST,
    "window": LONGEST_WINDOWS,
}
"""Characters of each text; of a From address see domain.addresses.mailbox."""


class AuthProtocol(StrEnum):
    NONE = "none"
    PLAIN = "plain"
    LOGIN = "login"
    CRAM = "cram"


class TlsType(StrEnum):
    NONE = "none"
    STARTTLS = "STARTTLS"
    TLS = "TLS"


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Time-outs and the duration of the sliding window are in seconds; `daily_limit` 0 is unlimited;
    `window` is None for always, or like `08:00-20:00,22:00-06:00`, in the policy's time zone."""

    name: str
    host: str
    port: int = 587
    auth_protocol: str = AuthProtocol.NONE
    username: str = ""
    tls_type: str = TlsType.STARTTLS
    tls_skip_verify: bool = False
    hello_hostname: str = ""
    max_conns: int = 10
    idle_timeout: int = 15
    wait_timeout: int = 5
    enabled: bool = True
    from_email: str
    daily_limit: int = 0
    sliding_window: bool = False
    sliding_window_duration: int = 3600
    sliding_window_rate: int = 0
    window: str | None = None

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> Self:
        """Defaults for what is not given; `auth_protocol` is `login` where there is a username.
        Raises Refused with a message for each field that is wrong."""
        fields.known(given, FIELDS)
        defaults = {field.name: field.default for field in fields_of(cls)}
        values = {**defaults, "name": "", "host": "", "from_email": "", **given}
        if values["username"] and "auth_protocol" not in given:
            values["auth_protocol"] = AuthProtocol.LOGIN.value
        return cls(**_checked(values))

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Raises Refused with a message for each field that is wrong."""
        fields.known(changes, FIELDS)
        return type(self)(**_checked({**asdict(self), **changes}))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def destination(self) -> str:
        """Whom the password is for. A kept one goes nowhere else: when this changes, it is given anew."""
        return destination(asdict(self))

    @property
    def limits(self) -> Limits:
        sliding = (self.sliding_window_rate, float(self.sliding_window_duration))
        return Limits(self.daily_limit, sliding if self.sliding_window else None)


def destination(settings: Mapping[str, Any]) -> str:
    """Of settings that were checked. The protocol counts: with CRAM-MD5 the password itself goes nowhere."""
    tls = f"{settings['tls_type']}{' unverified' if settings['tls_skip_verify'] else ''}"
    place = f"{settings['host'].lower()}:{settings['port']}"
    return f"{settings['username']} at {place} by {tls}, {settings['auth_protocol']}"


FIELDS = frozenset(field.name for field in fields_of(ServerSettings))


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checks = fields.Checks()
    settings = {name: checks.run(_CHECKS[name], values[name], name) for name in values}
    checks.run(_check_sign_in, settings)
    checks.run(_check_sliding_window, settings)
    checks.done()
    return settings


def _name(value: object, field: str) -> str:
    name = fields.text(value, field, longest=LONGEST["name"], shortest=1)
    if name.casefold() == AUTOMATIC:
        fields.refuse(field, f"'{name}' means all servers; choose another name")
    return name


def _host(value: object, field: str) -> str:
    host = fields.text(value, field, longest=LONGEST["host"], shortest=1)
    if not is_host(host) and not _is_ip(host):
        fields.refuse(field, f"'{host}' is neither a host name nor an IP address")
    return host


def _hello(value: object, field: str) -> str:
    """A domain or an address literal (RFC 5321, 4.1.1.1), empty for the machine's own name."""
    hello = fields.text(value, field, longest=LONGEST["hello_hostname"])
    literal = hello.removeprefix("[").removesuffix("]").removeprefix("IPv6:")
    if hello and not (_is_ip(literal) if hello.startswith("[") else is_host(hello)):
        fields.refuse(field, f"'{hello}' is neither a host name nor an address like [192.0.2.1]")
    return hello


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _from_email(value: object, field: str) -> str:
    parse_mailbox(value, field)
    return str(value).strip()


def _window(value: object, field: str) -> str | None:
    if value is None:
        return None
    text = fields.text(value, field, longest=LONGEST["window"])
    parse_windows(text, field)
    return text or None


_CHECKS: dict[str, Any] = {
    **{name: fields.between(*bounds) for name, bounds in BOUNDS.items()},
    "name": _name,
    "host": _host,
    "auth_protocol": lambda value, field: fields.choice(value, field, AuthProtocol),
    "username": lambda value, field: fields.text(value, field, longest=LONGEST["username"]),
    "tls_type": lambda value, field: fields.choice(value, field, TlsType),
    "tls_skip_verify": fields.flag,
    "hello_hostname": _hello,
    "enabled": fields.flag,
    "from_email": _from_email,
    "sliding_window": fields.flag,
    "window": _window,
}


def _check_sign_in(settings: Mapping[str, Any]) -> None:
    if settings["auth_protocol"] not in (None, AuthProtocol.NONE) and settings["username"] == "":
        fields.refuse("username", f"is needed to sign in with {settings['auth_protocol']}")


def _check_sliding_window(settings: Mapping[str, Any]) -> None:
    if not settings["sliding_window"]:
        return
    for field in ("sliding_window_duration", "sliding_window_rate"):
        if settings[field] == 0:
            fields.refuse(field, "must be at least 1 while the sliding window is on")
