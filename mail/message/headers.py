"""The header fields that a campaign adds to its messages, checked when it is compiled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from domain.addresses.host_name import AddressError
from domain.addresses.mailbox import parse_mailboxes
from domain.campaign.header_names import wrong_with_header_name
from mail.message.encoding import field, mailboxes_field, one_line
from mail.template.bounds import Budget
from mail.template.render import NAMES, MessageError, PartTemplate

OF_MAILBOXES = frozenset({"reply-to"})
"""What holds a list of mailboxes (RFC 5322, section 3.6.2); all others are text."""
ONCE = frozenset({"in-reply-to", "references", "reply-to"})
"""What a message has one of at most (section 3.6)."""
_unsafe = re.compile(r"[\r\n\x00]").search


class HeaderError(MessageError):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"header {name}: {reason}")
        self.name = name
        self.reason = reason


class Headers:
    """`fields` are (name, value); a value may be a template. Raises HeaderError, TemplateError.

    `offered` are the names that templates may use, `unsubscribing` lets List-Unsubscribe be given."""

    def __init__(
        self,
        fields: Sequence[tuple[str, str]],
        offered: frozenset[str] = NAMES,
        *,
        unsubscribing: bool = False,
    ) -> None:
        names = [name.lower() for name, _ in fields]
        self.names = frozenset(names)
        self._fixed: list[str] = []
        self._templates: list[tuple[str, PartTemplate]] = []
        for name, value in fields:
            _check(name, value, unsubscribing)
            if name.lower() in ONCE and names.count(name.lower()) > 1:
                raise HeaderError(name, "it can be given once only")
            template = PartTemplate(f"header {name}", value, names=offered)
            if template.is_fixed:
                self._fixed += _fields(name, template.source)
            else:
                self._templates.append((name, template))

    def render(self, names: dict[str, Any], budget: Budget | None = None) -> list[str]:
        """The fields, each with its CRLF. Raises HeaderError, TemplateError."""
        if not self._templates:
            return self._fixed
        rendered = [
            one for name, template in self._templates for one in _fields(name, template.render(names, budget))
        ]
        return self._fixed + rendered


def refuse_stray_lines(header: str, fields: int) -> None:
    """Raises MessageError unless the finished header has this number of fields and no line end but theirs and
    those that fold them, whatever it was made of: asked of each message, after all else was done to it."""
    ends = header.count("\r\n")
    is_sound = ends - header.count("\r\n ") == fields and ends == header.count("\r") == header.count("\n")
    if not is_sound or header.startswith(" ") or not header.endswith("\r\n"):
        raise MessageError("the header would not have the fields that it is meant to have")


def refuse_line_ends(name: str, value: str) -> None:
    """Raises HeaderError. What a template puts in cannot be refused here: it becomes one line instead."""
    if _unsafe(value):
        raise HeaderError(name, "a value has neither CR nor LF nor NUL")


def _check(name: str, value: str, unsubscribing: bool) -> None:
    if wrong := wrong_with_header_name(name, unsubscribing=unsubscribing):
        raise HeaderError(name if name.isprintable() else repr(name), wrong)
    refuse_line_ends(name, value)


def _fields(name: str, value: str) -> list[str]:
    """One, but none where it is a list of nobody. Raises HeaderError, which does not quote the value."""
    value = one_line(value)
    if name.lower() not in OF_MAILBOXES:
        return [field(name, value)]
    try:
        return [mailboxes_field(name, parse_mailboxes(value))] if value else []
    except AddressError as error:
        raise HeaderError(name, f"it is not one address or several with commas between: {error}") from None
