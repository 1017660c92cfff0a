"""A mailbox: an e-mail address, with or without a display name, as in `Mail Two <news@mail2.example.com>`
(RFC 5322, section 3.4). Read strictly, in one pass: no comments, groups, routes and encoded words."""

from __future__ import annotations

import re
from typing import NamedTuple

from domain import fields
from domain.addresses.email_address import EmailAddress
from domain.addresses.host_name import AddressError

LONGEST = 320
MOST = 50

_word = re.compile(r'[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t"()<>\[\]:;@\\,]+))')
"""A quoted string or an atom, with what may stand in one according to RFC 6532 and the dots of obs-phrase."""
_escaped = re.compile(r"\\(.)")
_between = re.compile(r'[^",<]*(?:"(?:[^"\\]|\\.)*"[^",<]*)*(?:<[^<>,]*>[^",<]*)?')
"""From one comma of a list to the next: neither those in quotes nor those in angle brackets part it."""


class Mailbox(NamedTuple):
    """`display` is the name as it is read, "" for none. The address is ASCII before the @, so that each
    server takes it; its domain may be of one label, as with a relay on the same host."""

    display: str
    address: EmailAddress

    @classmethod
    def parse(cls, line: str) -> Mailbox:
        """Raises AddressError, which does not quote the line."""
        line = line.strip(" \t")
        if len(line) > LONGEST:
            raise AddressError(f"at most {LONGEST} characters are allowed")
        name, opening, address = line.rpartition("<")
        if opening:
            if not address.endswith(">"):
                raise AddressError("the > after the address is missing, or something follows it")
            return cls(_display(name), _address(address[:-1]))
        return cls("", _address(line))


def parse_mailbox(value: object, field: str) -> Mailbox:
    """Raises Refused, naming `field`."""
    line = fields.text(value, field, longest=LONGEST, shortest=1)
    try:
        return Mailbox.parse(line)
    except AddressError as error:
        fields.refuse(
            field, f"'{line}' is not one address like news@example.com or News <news@example.com>: {error}"
        )


def parse_mailboxes(line: str) -> list[Mailbox]:
    """Of a list with commas, as Reply-To has it (RFC 5322, section 3.4). Raises AddressError."""
    if len(line) > MOST * LONGEST:
        raise AddressError(f"at most {MOST} addresses are allowed")
    mailboxes: list[Mailbox] = []
    start = 0
    while True:
        found = _between.match(line, start)
        end = found.end() if found else start
        if len(mailboxes) == MOST:
            raise AddressError(f"at most {MOST} addresses are allowed")
        if end < len(line) and line[end] != ",":
            raise AddressError("a quotation mark or an angle bracket is not closed")
        mailboxes.append(Mailbox.parse(line[start:end]))
        if end == len(line):
            return mailboxes
        start = end + 1


def _address(text: str) -> EmailAddress:
    address = EmailAddress.parse(text.strip(" \t"), single_label=True)
    if not address.local.isascii():
        raise AddressError("the part before the @ must be ASCII, since not every server takes another one")
    return address


def _display(name: str) -> str:
    """The words of a phrase, one space between them."""
    words: list[str] = []
    name, at = name.strip(" \t"), 0
    while at < len(name):
        found = _word.match(name, at)
        if found is None:
            raise AddressError("a name with characters other than letters, digits and dots must be in quotes")
        quoted, atom = found.groups()
        words += (atom if quoted is None else _escaped.sub(r"\1", quoted)).split()
        at = found.end()
    display = " ".join(words)
    if "=?" in display:
        raise AddressError("write the name as it is read, not encoded")
    if name.startswith("."):
        raise AddressError("a name that starts with a dot must be in quotes")
    return display
