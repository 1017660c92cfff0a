"""What every request may use, kept with the application."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from flask import current_app
from psycopg2.extensions import cursor

from application.decisions import Postledger
from domain.clock import Clock
from projections.following.runner import Runner
from storage.log.append import Log
from storage.postgres.pool import Pool
from storage.secrets import Secrets
from web.http.errors import Refusal
from web.http.settings import WebSettings

if TYPE_CHECKING:
    from application.messages import Messages
    from web.pages.accounts.provider import Provider

PATIENCE = 10.0
"""Seconds to wait for the projections, so that an answer shows what the request did."""


@dataclass(frozen=True)
class Services:
    pool: Pool
    application: Postledger
    clock: Clock
    runner: Runner
    log: Log
    settings: WebSettings
    preflight: Callable[[int], Sequence[str]] | None
    secrets: Secrets | None = None
    probe: Callable[[Mapping[str, Any], str], Any] | None = None
    messages: Messages | None = None
    provider: Provider | None = None


def services() -> Services:
    found = current_app.extensions["postledger"]
    assert isinstance(found, Services)
    return found


@contextmanager
def reading() -> Iterator[cursor]:
    """A cursor to read with. Each statement is a transaction of its own, which saves a request two round
    trips and gives up nothing: statements of one transaction would not see the same moment either."""
    with services().pool.connection() as taken:
        taken.autocommit = True
        with taken.cursor() as opened:
            yield opened


def release() -> str:
    """The version that is installed; empty when it runs from the source tree alone."""
    try:
        return version("postledger")
    except PackageNotFoundError:
        return ""


def wait_until_shown(position: int | None) -> None:
    """Until the projections show the log as far as `position`. Raises Refusal 503 when that takes long:
    what was asked for is on the record all the same."""
    if position is None:
        return
    try:
        services().runner.catch_up_to(position, PATIENCE)
    except TimeoutError:
        raise Refusal(
            503, "The figures are behind the log right now. Look again soon.", {"Retry-After": "10"}
        ) from None
