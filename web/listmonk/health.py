"""Whether we are there, as listmonk tells it."""

from __future__ import annotations

from flask import Blueprint

from web.http.contract import endpoint

blueprint = Blueprint("listmonk_health", __name__)


@endpoint(blueprint, "GET", "/api/health", needs="public", answer=bool)
def health() -> bool:
    """That the server answers."""
    return True
