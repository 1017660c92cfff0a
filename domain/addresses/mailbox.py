"""One mailbox, with an optional display name: `Mail Two <news@mail2.example.com>` (RFC 5322, 3.4)."""

from __future__ import annotations

from email.errors import NonASCIILocalPartDefect
from email.headerregistry import Address
from email.policy import SMTPUTF8
from typing import Any, NamedTuple

from domain import fields


class Mailbox(NamedTuple):
    """`address` is the bare one, as in MAIL FROM."""

    display: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"


def parse_mailbox(value: object, field: str) -> Mailbox:
    """Raises Refused, naming `field`."""
    line = fields.text(value, field, longest=320, shortest=1)
    header: Any = SMTPUTF8.header_factory("From", line)
    groups = header.groups
    defects = [defect for defect in header.defects if not isinstance(defect, NonASCIILocalPartDefect)]
    if defects or len(groups) != 1 or groups[0].display_name or len(groups[0].addresses) != 1:
        fields.refuse(field, f"'{line}' is not one address like news@example.com or News <news@example.com>")
    return _mailbox_of(groups[0].addresses[0], line, field)


def _mailbox_of(address: Address, line: str, field: str) -> Mailbox:
    local, domain = address.addr_spec.rpartition("@")[::2]
    if not local or not domain or not is_host(domain):
        fields.refuse(field, f"'{line}' has no domain that a message could come from")
    if len(local.encode()) > 64:
        fields.refuse(field, "at most 64 characters are allowed before the @ (RFC 5321, 4.5.3.1)")
    return Mailbox(address.display_name, local, domain)


def is_host(name: str) -> bool:
    """Whether this could be the name of a host (RFC 1123, 2.1), internationalised or not."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= 253 and all(
        0 < len(label) <= 63
        and not label.startswith("-")
        and not label.endswith("-")
        and all(letter.isalnum() or letter in "-_" for letter in label)
        for label in labels
    )
