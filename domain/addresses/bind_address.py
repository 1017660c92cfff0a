"""Which addresses the pages may be served on."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from domain.errors import Refused


class BindRefused(Refused):
    """The host is reachable from other machines, and there is no admin who could sign in."""


def check_bind(host: str, has_admin: bool) -> None:
    """Raises BindRefused when others reach `host` and nobody has to sign in."""
    if not (has_admin or is_loopback(host)):
        raise BindRefused(
            f"{host!r} is not a loopback address, and there is no admin yet: anyone who reaches the pages "
            "could act. Add one first (postledger user create NAME --role admin), or use 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    address = address_of(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
