"""SMTP servers through the API: what they are set to, and what they may still send."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from projections import availability
from projections.availability import Availability
from projections.servers import Server
from projections.servers import servers as all_servers
from web.access import needs
from web.answers import instant
from web.services import reading, services

blueprint = Blueprint("servers", __name__)


@blueprint.get("/api/servers")
@needs("read")
def listed() -> Response:
    """By name. Passwords are never told."""
    with reading() as cursor:
        settings = {one.server: one for one in all_servers(cursor)}
        capacity = availability.capacity(cursor, services().clock.now())
    return jsonify(data=[described(settings[one.number], one) for one in capacity.servers])


def described(server: Server, now: Availability) -> dict[str, Any]:
    return {
        "id": server.server,
        "uuid": str(now.uuid),
        **server.settings,
        "available": now.available,
        "unavailable_reason": str(now.closed) if now.closed else None,
        "unavailable_code": now.closed.code if now.closed else None,
        "unavailable_until": instant(now.closed.until) if now.closed else None,
        "daily_used": now.daily_used,
        "daily_remaining": now.daily_remaining,
        "rolling_used": now.rolling_used if now.rolling_limit is not None else None,
        "rolling_remaining": now.rolling_remaining,
        "created_at": instant(server.added_at),
        "updated_at": instant(server.changed_at),
        "updated_by": server.changed_by,
    }
