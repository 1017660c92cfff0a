"""Whether we are there, as listmonk tells it: with or without a key, but not with a wrong one, since clients
find out here whether theirs is right."""

from __future__ import annotations

from flask import Blueprint, request

from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.identity import NOBODY

blueprint = Blueprint("listmonk_health", __name__)


@endpoint(blueprint, "GET", "/api/health", needs="public", answer=bool, errors=(403,))
def health() -> bool:
    """That the server answers

    403 for a key that is none.
    """
    if "Authorization" in request.headers and actor() == NOBODY.actor:
        raise Refusal(403, "This is no valid API key.")
    return True
