"""An e-mail address that can be mailed: a dot-atom, an @ and a domain of labels (RFC 5321, sections 4.1.2 and
4.5.3.1; other scripts as in RFC 6531). Quoted local parts and address literals are refused."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from domain.addresses.host_name import AddressError, host_in_ascii

LONGEST = 254  # a path of 256 octets holds two angle brackets (RFC 5321, section 4.5.3.1.3)
LONGEST_LOCAL = 64

_plain = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
).fullmatch
"""What nearly all addresses are like: sound as they stand, but for their length."""
_special = re.compile(r'[()<>\[\]:;,\\"]').search


class EmailAddress(NamedTuple):
    """`domain` is in A-labels where it is not ASCII. As a text it is what stands in MAIL FROM and RCPT TO."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @classmethod
    def parse(cls, text: str, *, single_label: bool = False) -> EmailAddress:
        """`single_label` lets the domain be one like `localhost`. Raises AddressError."""
        if not text:
            raise AddressError("the e-mail address is empty")
        if len(text) > LONGEST:
            raise AddressError(f"the e-mail address is longer than {LONGEST} bytes")
        if " " in text or not text.isprintable():
            raise AddressError(
                "the e-mail address holds a space, a control character or bytes that are not UTF-8"
            )
        if text.count("@") != 1:
            raise AddressError("the e-mail address must have exactly one @")
        local, _, domain = text.partition("@")
        _check_local(local)
        address = cls(local, _domain(domain, single_label))
        if max(len(text.encode()), len(str(address).encode())) > LONGEST:
            raise AddressError(f"the e-mail address is longer than {LONGEST} bytes")
        return address


def wrong_with(email: str) -> str | None:
    """Why `email` cannot be mailed, in words that do not quote it; None when it can."""
    try:
        on_the_wire(email)
    except AddressError as error:
        return str(error)
    return None


@lru_cache(maxsize=8)
def on_the_wire(email: str) -> str:
    """The address with its domain in A-labels, not ASCII only when `needs_smtputf8`. Raises AddressError.

    Kept for a moment, since a message and its envelope ask one after the other."""
    if len(email) <= LONGEST and _plain(email) and email.index("@") <= LONGEST_LOCAL:
        return email
    return str(EmailAddress.parse(email))


def needs_smtputf8(email: str) -> bool:
    """True when only a server with SMTPUTF8 (RFC 6531) takes it: the part before @ is not ASCII. A domain
    that is not ASCII can be written as an A-label and needs nothing."""
    return not email.isascii() and not email.partition("@")[0].isascii()


def _check_local(local: str) -> None:
    if not local:
        raise AddressError("the part before the @ is missing")
    if len(local.encode()) > LONGEST_LOCAL:
        raise AddressError(f"the part before the @ is longer than {LONGEST_LOCAL} bytes")
    if _special(local):
        raise AddressError("the part before the @ holds a character that addresses may not have")
    if "" in local.split("."):
        raise AddressError("the part before the @ starts or ends with a dot or has two in a row")


def _domain(domain: str, single_label: bool) -> str:
    if not domain:
        raise AddressError("the domain is not complete")
    ascii_domain = host_in_ascii(domain)
    labels = ascii_domain.split(".")
    if labels[-1].isdigit() or (len(labels) < 2 and not single_label):
        raise AddressError("the domain is not complete")
    return ascii_domain
