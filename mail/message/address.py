"""Addresses as SMTP commands and header fields want them."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.policy import SMTP
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import normalize

from mail.template.render import MessageError

_plain = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]*").fullmatch
_special = re.compile(r'[\x00-\x20\x7f-\xa0()<>\[\]:;,\\"\ud800-\udfff]').search
_label = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?").fullmatch
_ONE_ADDRESS = "From must be one address, like news@example.com or News <news@example.com>"
_LABEL_ENDS = re.compile("[.\u3002\uff0e\uff61]")


class AddressError(MessageError):
    """An address that no message can be sent to or from. The message does not quote it."""


class Sender(NamedTuple):
    """`address` is the envelope's; `domain` its part after the @, in A-labels."""

    name: str
    address: str
    domain: str


def on_the_wire(email: str) -> str:
    """The address with its domain in A-labels. Not ASCII exactly when `needs_smtputf8`.

    Raises AddressError for what would not survive a command line or a header field."""
    if _plain(email):
        return email
    local, at, domain = email.rpartition("@")
    if not (local and at and domain) or "@" in local or _special(local) or _special(domain):
        raise AddressError("the address cannot be used in a message")
    return f"{local}@{a_labels(domain)}"


def needs_smtputf8(email: str) -> bool:
    """RFC 6531: the part before the @ is not ASCII, so only a server with SMTPUTF8 takes it."""
    return not email.isascii() and not email.rpartition("@")[0].isascii()


@lru_cache(maxsize=10_000)
def a_labels(domain: str) -> str:
    """RFC 5891, section 4.4. The library's `idna` codec follows RFC 3490, which sends mail for `faß.de`
    to `fass.de`, so that only its Punycode (RFC 3492) is used. Raises AddressError."""
    labels = [_a_label(normalize("NFKC", label).lower()) for label in _LABEL_ENDS.split(domain)]
    if not all(_label(label) for label in labels):
        raise AddressError("the domain of the address is not a domain name")
    return ".".join(labels)


def _a_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def sender(from_email: str) -> Sender:
    """From `news@example.com` or `News <news@example.com>`. Raises AddressError."""
    try:
        header: Any = SMTP.header_factory("From", from_email)
    except (ValueError, HeaderParseError, LookupError, AttributeError) as error:
        raise AddressError(_ONE_ADDRESS) from error
    if len(header.addresses) != 1 or header.defects or header.groups[0].display_name is not None:
        raise AddressError(_ONE_ADDRESS)
    written = header.addresses[0]
    if not written.username.isascii():
        raise AddressError("the part of the From address before the @ must be ASCII")
    address = on_the_wire(f"{written.username}@{written.domain}")
    return Sender(written.display_name, address, address.rpartition("@")[2])
