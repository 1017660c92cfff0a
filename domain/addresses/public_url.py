"""The address under which people reach the pages: where links in e-mails lead."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from domain import fields
from domain.addresses.host_name import AddressError, host_in_ascii

LONGEST = 200

_url = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?:\[(?P<ip>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s/?#@:\[\]<>\\\"]+))"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})*)*)"
).fullmatch


class PublicUrl(NamedTuple):
    """As a text it is ASCII, its scheme and host in lower case, without a slash at its end. `host` is in
    A-labels, an IPv6 address without its brackets; `path` is "" or begins with a slash."""

    scheme: str
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @classmethod
    def parse(cls, text: str) -> PublicUrl:
        """Raises AddressError."""
        if len(text) > LONGEST:
            raise AddressError(f"at most {LONGEST} characters are allowed")
        found = _url(text)
        port = int(found["port"]) if found and found["port"] else None
        if not found or (port is not None and not 1 <= port <= 65_535):
            raise AddressError("an address like https://post.example.com is expected")
        return cls(
            found["scheme"].lower(), _host(found["ip"], found["host"]), port, found["path"].rstrip("/")
        )


def parse_public_url(value: object, field: str) -> PublicUrl:
    """Raises Refused, naming `field`."""
    try:
        return PublicUrl.parse(fields.text(value, field, longest=LONGEST, shortest=1))
    except AddressError as error:
        fields.refuse(field, str(error))


def _host(ip: str | None, host: str) -> str:
    if ip is None:
        return host_in_ascii(host, underscores=True).lower()
    try:
        return str(IPv6Address(ip))
    except AddressValueError:
        raise AddressError("an address like https://post.example.com is expected") from None
