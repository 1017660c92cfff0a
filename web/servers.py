"""SMTP servers through the API: what they are set to, and what they may still send."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from flask import Blueprint

from projections import availability
from projections.availability import Availability
from projections.servers import Server
from projections.servers import servers as all_servers
from web.answers import instant
from web.contract import endpoint
from web.services import reading, services
from web.shapes import Answer, Told

blueprint = Blueprint("servers", __name__)


class ServerAnswer(Answer):
    id: int
    uuid: UUID
    name: str
    host: str
    port: int
    auth_protocol: Literal["none", "plain", "login", "cram"]
    username: str
    tls_type: Literal["none", "STARTTLS", "TLS"]
    tls_skip_verify: bool
    hello_hostname: str
    max_conns: int
    idle_timeout: int
    wait_timeout: int
    enabled: bool
    from_email: str
    daily_limit: int
    sliding_window: bool
    sliding_window_duration: int
    sliding_window_rate: int
    window: str | None
    available: bool
    unavailable_reason: str | None
    unavailable_code: Literal[
        "disabled", "suspended", "window_closed", "daily_limit", "rolling_limit"
    ] | None  # fmt: skip
    unavailable_until: Told | None
    daily_used: int
    daily_remaining: int | None
    rolling_used: int | None
    rolling_remaining: int | None
    created_at: Told
    updated_at: Told
    updated_by: str


@endpoint(blueprint, "GET", "/api/servers", needs="read", answer=list[ServerAnswer])
def listed() -> list[dict[str, Any]]:
    """All settings of all servers, by name. Passwords are never told."""
    with reading() as cursor:
        settings = {one.server: one for one in all_servers(cursor)}
        capacity = availability.capacity(cursor, services().clock.now())
    return [described(settings[one.number], one) for one in capacity.servers]


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
