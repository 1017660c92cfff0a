"""The header fields that a campaign adds to its messages, checked when it is compiled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.headerregistry import UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from mail.message.encoding import LONGEST_LINE, PREFERRED_LINE, field, one_line
from mail.template.render import NAMES, MessageError, Template

RESERVED = frozenset(
    {
        "bcc",
        "cc",
        "date",
        "dkim-signature",
        "from",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "message-id",
        "mime-version",
        "received",
        "resent-bcc",
        "resent-cc",
        "resent-from",
        "resent-sender",
        "resent-to",
        "return-path",
        "sender",
        "subject",
        "to",
        "x-postledger-delivery",
    }
)
UNSUBSCRIBING = frozenset({"list-unsubscribe", "list-unsubscribe-post"})
_name = re.compile(r"[!-9;-~]{1,64}").fullmatch  # RFC 5322, section 3.6.8
_MALFORMED = (ValueError, HeaderParseError, LookupError, AttributeError, TypeError)
"""The library's parser fails in all these ways on what it cannot read."""
_unsafe = re.compile(r"[\r\n\x00]").search


class HeaderError(MessageError):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"header {name}: {reason}")
        self.name = name
        self.reason = reason


class Headers:
    """`fields` are (name, value); a value may be a template. Raises HeaderError, TemplateError.

    `offered` are the names that templates may use, `unsubscribing` lets List-Unsubscribe be given.
    `fixed` is the text of those that are the same for everybody, with their CRLFs."""

    def __init__(
        self,
        fields: Sequence[tuple[str, str]],
        offered: frozenset[str] = NAMES,
        *,
        unsubscribing: bool = False,
    ) -> None:
        self.names = frozenset(name.lower() for name, _ in fields)
        self.fixed = ""
        self._templates: list[tuple[str, Template]] = []
        checked = EmailMessage(policy=SMTP)
        for name, value in fields:
            _check(name, value, UNSUBSCRIBING if unsubscribing else frozenset())
            template = Template(f"header {name}", value, names=offered)
            if template.is_fixed:
                self.fixed += _fixed_field(checked, name, template.source)
            else:
                self._templates.append((name, template))

    def render(self, names: dict[str, Any]) -> str:
        if not self._templates:
            return self.fixed
        rendered = [_rendered_field(name, template.render(names)) for name, template in self._templates]
        return self.fixed + "".join(rendered)


def refuse_line_ends(name: str, value: str) -> None:
    """Raises HeaderError. What a template puts in cannot be refused here: it becomes one line instead."""
    if _unsafe(value):
        raise HeaderError(name, "a value has neither CR nor LF nor NUL")


def _check(name: str, value: str, allowed: frozenset[str]) -> None:
    if not _name(name):
        raise HeaderError(repr(name), "a name is 1 to 64 printable ASCII characters without colon and space")
    if name.lower() in RESERVED - allowed or name.lower().startswith("content-"):
        raise HeaderError(name, "this one is set for each message and cannot be given")
    refuse_line_ends(name, value)


def _fixed_field(checked: EmailMessage, name: str, value: str) -> str:
    try:
        checked[name] = value
    except _MALFORMED as error:
        raise HeaderError(name, f"the value is malformed: {error}") from error
    header: Any = checked.get_all(name, [])[-1]
    if header.defects:
        raise HeaderError(name, f"the value is malformed: {header.defects[0]}")
    return _by_kind(header, value)


def _rendered_field(name: str, value: str) -> str:
    value = one_line(value)
    if value.isascii() and len(name) + len(value) <= PREFERRED_LINE - 2 and "=?" not in value:
        return f"{name}: {value}\r\n"
    try:
        return _by_kind(SMTP.header_factory(name, value), value)
    except _MALFORMED as error:
        # Not chained: the cause may quote what was put in.
        raise HeaderError(name, f"the rendered value cannot be written ({type(error).__name__})") from None


def _by_kind(header: Any, value: str) -> str:
    """A field of addresses, identifiers or parameters has places where it may not be folded or encoded: the
    library knows them."""
    if issubclass(type(header), UnstructuredHeader):
        return field(header.name, value)
    if value.isascii() and len(header.name) + len(value) <= LONGEST_LINE - 2 and "=?" not in value:
        return f"{header.name}: {value}\r\n"
    folded: str = header.fold(policy=SMTP)
    if not folded.isascii():
        raise HeaderError(header.name, "an address has a part before the @ that is not ASCII")
    return folded
