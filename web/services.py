"""What every request may use, kept with the application."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from flask import current_app

from domain.application import Postledger
from domain.clock import Clock
from projections.runner import Runner
from storage.pool import Pool
from web.settings import WebSettings

ACTOR = "api"
"""Who made a change, in its event."""


@dataclass(frozen=True)
class Services:
    pool: Pool
    application: Postledger
    clock: Clock
    runner: Runner
    settings: WebSettings


def services() -> Services:
    found = current_app.extensions["postledger"]
    assert isinstance(found, Services)
    return found


def release() -> str:
    """The version that is installed; empty when it runs from the source tree alone."""
    try:
        return version("postledger")
    except PackageNotFoundError:
        return ""
