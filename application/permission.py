"""Who asks, and what they may have done. It is set around a request, and checked wherever something goes on
record, so that it does not matter by which way it was asked for."""

from __future__ import annotations

from collections.abc import Collection
from contextvars import ContextVar

from domain.accounts.scopes import scopes_needed


class ScopeMissing(Exception):
    """Nothing was changed."""

    def __init__(self, scope: str) -> None:
        self.message = f"This changes what is sent, or when: it needs the scope {scope}."
        if scope != "send":
            self.message = f"This needs the scope {scope}."
        super().__init__(self.message)


_scopes: ContextVar[frozenset[str] | None] = ContextVar("scopes", default=None)
"""None: everything may be done, as by the command line and by processors."""


_asker: ContextVar[str] = ContextVar("asker", default="")


def limit(scopes: Collection[str] | None, asker: str = "") -> None:
    """For what is done from now on, in this thread."""
    _scopes.set(None if scopes is None else frozenset(scopes))
    _asker.set(asker)


def asker() -> str:
    """`user:NAME`, `key:NAME` or `local`; empty outside of requests, and in those that anybody may make."""
    return _asker.get()


def check(topic: str, *, of_draft: bool = False, changes: Collection[str] = ()) -> None:
    """Raises ScopeMissing when what goes on record as `topic` is not for whoever asks."""
    allowed = _scopes.get()
    if allowed is None:
        return
    missing = scopes_needed(topic, of_draft=of_draft, changes=changes) - allowed
    if missing:
        raise ScopeMissing(min(missing))
