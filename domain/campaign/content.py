"""What a campaign says and to whom: the fields that a draft has, and what each may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from domain import fields
from domain.campaign.header_names import wrong_with_header_name
from domain.campaign.priority import Priority
from domain.streams import LARGEST_NUMBER

MOST_HEADERS = 50
LONGEST_SUBJECT = 998


class ContentType(StrEnum):
    RICHTEXT = "richtext"
    HTML = "html"
    MARKDOWN = "markdown"
    PLAIN = "plain"
    VISUAL = "visual"


_DEFAULTS: dict[str, Any] = {
    "name": "",
    "subject": "",
    "text": None,
    "html": None,
    "lists": (),
    "messenger": None,
    "priority": Priority.NORMAL.value,
    "headers": (),
    "template": None,
    "body": None,
    "content_type": ContentType.HTML.value,
    "tags": (),
    "attributes": MappingProxyType({}),
    "planned_for": None,
}
CONTENT_FIELDS = tuple(_DEFAULTS)
LARGEST_ATTRIBUTES = 20_000


class ContentEdited:
    """What an event does to the campaign, or template, whose fields it names in `changes`."""

    changes: dict[str, Any]

    def apply(self, aggregate: Any) -> None:
        for name, value in self.changes.items():
            setattr(aggregate, name, value)


def checked_content(given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields, with the default for what is not given. Raises Refused."""
    fields.known(given, _DEFAULTS)
    return _checked({**_DEFAULTS, **given})


def checked_transactional_content(given: Mapping[str, Any]) -> dict[str, Any]:
    """As `checked_content`, for a campaign that goes to no list. Raises Refused."""
    fields.known(given, _DEFAULTS.keys() - {"lists"})
    values = {**_DEFAULTS, **given}
    return {**_checked({name: value for name, value in values.items() if name != "lists"}), "lists": []}


def checked_changes(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from `content`. Raises Refused."""
    fields.known(changes, _DEFAULTS)
    new = _checked({**content, **changes})
    return {name: new[name] for name in changes if new[name] != content[name]}


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checks = fields.Checks()
    content = {name: checks.run(_CHECKS[name], value, name) for name, value in values.items()}
    if values["text"] is None and values["html"] is None:
        checks.run(fields.refuse, "text", "a text or an HTML body is needed")
    checks.done()
    return content


def _body(value: object, field: str) -> str | None:
    return None if value is None else fields.body(value, field)


def _attributes(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        fields.refuse(field, "is not an object with names and values")
    if fields.is_nested_deeper(value, fields.DEEPEST):
        fields.refuse(field, f"are nested more than {fields.DEEPEST} levels deep")
    try:
        size = len(json.dumps(dict(value), allow_nan=False).encode())
    except (ValueError, TypeError, RecursionError):
        fields.refuse(field, "hold something that JSON cannot")
    if size > LARGEST_ATTRIBUTES:
        fields.refuse(field, f"are larger than {LARGEST_ATTRIBUTES:,} bytes")
    return dict(value)


def _planned_for(value: object, field: str) -> str | None:
    return None if value is None else fields.instant(value, field).astimezone(UTC).isoformat()


def _number(value: object, field: str) -> int | None:
    return None if value is None else fields.whole(value, field, 1, LARGEST_NUMBER)


def _headers(value: object, field: str) -> list[list[str]]:
    if not isinstance(value, list | tuple) or len(value) > MOST_HEADERS:
        fields.refuse(field, f"is not a list of at most {MOST_HEADERS} pairs of name and value")
    headers = [_header(pair, field) for pair in value]
    names = [name.lower() for name, _ in headers]
    for name in names:
        if names.count(name) > 1:
            fields.refuse(field, f"{name} is given more than once")
    return headers


def _header(pair: object, field: str) -> list[str]:
    if (
        not isinstance(pair, list | tuple)
        or len(pair) != 2
        or not all(isinstance(part, str) for part in pair)
    ):
        fields.refuse(field, f"{pair!r} is not a pair of name and value")
    name, value = pair
    if wrong := wrong_with_header_name(name):
        fields.refuse(field, f"{name[:80] if name.isprintable() else ascii(name[:80])} {wrong}")
    value = fields.text(value, field, longest=900)
    return [name, value]


_CHECKS: dict[str, Any] = {
    "name": lambda value, field: fields.text(value, field, longest=200, shortest=1),
    "subject": lambda value, field: fields.text(value, field, longest=LONGEST_SUBJECT, shortest=1),
    "text": _body,
    "html": _body,
    "lists": lambda value, field: fields.numbers(value, field, "list"),
    "messenger": _number,
    "priority": lambda value, field: fields.choice(value, field, Priority),
    "headers": _headers,
    "template": _number,
    "body": _body,
    "content_type": lambda value, field: fields.choice(value, field, ContentType),
    "tags": fields.tags,
    "attributes": _attributes,
    "planned_for": _planned_for,
}

TEXT_FIELDS = tuple(name for name, check in _CHECKS.items() if check is _body)
"""Those that name a kept text by its hash."""
