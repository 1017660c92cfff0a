"""What messages are made of, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple


class Draft(NamedTuple):
    """A campaign as far as it is written. `number` is 0 before there is one; `text` or `html` may be None."""

    number: int
    name: str
    subject: str
    text: str | None
    html: str | None
    headers: Sequence[tuple[str, str]]
    lists: Sequence[int]
    attributes: Mapping[str, Any] = MappingProxyType({})
    transactional: bool = False


class Shown(NamedTuple):
    """A message as its recipient would see it."""

    sender: str
    to: str
    subject: str
    text: str | None
    html: str | None


class TestEmail(NamedTuple):
    """What became of one test e-mail. `outcome` is accepted, refused, unknown, or `not sent`, when nothing
    was given to a server; `detail` is its reply, or why not."""

    address: str
    outcome: str
    detail: str
    server: str = ""


class TemplateReader(NamedTuple):
    """Of a transactional message, as its templates see them."""

    uuid: str
    email: str
    name: str
    attributes: Mapping[str, Any]


class UnmakeableError(ValueError):
    """No message can be made of it; the text says where and why."""
