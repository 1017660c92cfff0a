"""What a change is conditional on: that the thing is still as whoever asks for it has seen it.

The condition is set around a command, and checked within it, where nobody else can change the thing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from uuid import UUID

from domain.errors import VersionConflict


class AtVersion(NamedTuple):
    stream: UUID
    versions: Collection[int]


_version: ContextVar[AtVersion | None] = ContextVar("version", default=None)
_content: ContextVar[Callable[[Any], None] | None] = ContextVar("content", default=None)


@contextmanager
def at_version(stream: UUID, versions: Collection[int]) -> Iterator[None]:
    """The next command on the campaign, server, template or policy of that stream is carried out only at one
    of these versions, else it raises VersionConflict."""
    token = _version.set(AtVersion(stream, versions))
    try:
        yield
    finally:
        _version.reset(token)


@contextmanager
def with_content(check: Callable[[Any], None]) -> Iterator[None]:
    """Commands on people and lists call `check` with the cursor of their transaction, once they have locked
    what they change; what it raises ends them."""
    token = _content.set(check)
    try:
        yield
    finally:
        _content.reset(token)


def check_version(stream: UUID, version: int) -> None:
    """Raises VersionConflict."""
    wanted = _version.get()
    if wanted is not None and wanted.stream == stream and version not in wanted.versions:
        raise VersionConflict(wanted.versions, version)


def version_was_right(stream: UUID) -> None:
    """A command has changed the thing: what follows of the same request finds another version."""
    wanted = _version.get()
    if wanted is not None and wanted.stream == stream:
        _version.set(None)


def check_content(cursor: Any) -> None:
    check = _content.get()
    if check is not None:
        check(cursor)
