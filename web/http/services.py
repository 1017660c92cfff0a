"""What every request may use, kept with the application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import current_app
from psycopg2.extensions import cursor

from application.installation import Installation
from web.http.settings import WebSettings

if TYPE_CHECKING:
    from application.accounts.provider import Provider


@dataclass(frozen=True, kw_only=True)
class Services(Installation):
    settings: WebSettings
    provider: Provider | None = None

    @classmethod
    def of(cls, installation: Installation, settings: WebSettings, provider: Provider | None) -> Services:
        parts = {one.name: getattr(installation, one.name) for one in fields(Installation)}
        return cls(**parts, settings=settings, provider=provider)

    @property
    def public_host(self) -> str | None:
        return urlsplit(self.public_url).hostname if self.public_url else None


def services() -> Services:
    found = current_app.extensions["postledger"]
    assert isinstance(found, Services)
    return found


@contextmanager
def reading() -> Iterator[cursor]:
    with services().reading() as opened:
        yield opened


def release() -> str:
    """The version that is installed; empty when it runs from the source tree alone."""
    try:
        return version("postledger")
    except PackageNotFoundError:
        return ""
