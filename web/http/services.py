"""What every request may use, kept with the application."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from flask import current_app
from psycopg2.extensions import cursor

from application.installation import Installation
from web.http.settings import WebSettings

if TYPE_CHECKING:
    from application.accounts.provider import Provider
    from application.messages import Messages


@dataclass(frozen=True, kw_only=True)
class Services(Installation):
    settings: WebSettings
    preflight: Callable[[int], Sequence[str]] | None = None
    probe: Callable[[Mapping[str, Any], str], Any] | None = None
    messages: Messages | None = None
    provider: Provider | None = None


def services() -> Services:
    found = current_app.extensions["postledger"]
    assert isinstance(found, Services)
    return found


@contextmanager
def reading() -> Iterator[cursor]:
    with services().reading() as opened:
        yield opened


def wait_until_shown(position: int | None) -> None:
    services().wait_until_shown(position)


def release() -> str:
    """The version that is installed; empty when it runs from the source tree alone."""
    try:
        return version("postledger")
    except PackageNotFoundError:
        return ""
