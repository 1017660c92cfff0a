"""SMTP servers through the API: what they are set to, and what they may still send."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint
from pydantic import ConfigDict, Field

from application.servers import Servers
from domain.addresses.mailbox import LONGEST as LONGEST_MAILBOX
from domain.clock import instant
from domain.fields import LONGEST_REASON
from domain.server.availability import Reason
from domain.server.settings import BOUNDS, LONGEST, AuthProtocol, TlsType
from domain.server.settings import ServerSettings as Defaults
from domain.streams import LARGEST_NUMBER, server_stream
from projections import availability
from projections.availability import Availability
from projections.servers import Server
from projections.servers import servers as all_servers
from storage.secrets import LONGEST_PASSWORD
from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.if_match import OfStream
from web.http.services import reading, services
from web.http.shapes import Answer, Body, Instant, Line, Told, Whole, without_defaults
from web.http.versions import Versioned, shown_version

blueprint = Blueprint("servers", __name__)

Password = Annotated[
    str, Field(max_length=LONGEST_PASSWORD, description="Never told again. Empty: none.", repr=False)
]


class ServerFields(Body):
    """As listmonk's SMTP settings, with the From address and the limits of the server. Time-outs and the
    duration of the sliding window are in seconds; a `daily_limit` of 0 is none; `window` is as
    `08:00-20:00,22:00-06:00`, null for always."""

    port: Annotated[int, Whole(*BOUNDS["port"])] = Defaults.port
    auth_protocol: AuthProtocol = AuthProtocol.NONE
    username: Annotated[str, Line(LONGEST["username"])] = ""
    password: Password = ""
    tls_type: TlsType = TlsType.STARTTLS
    tls_skip_verify: bool = False
    hello_hostname: Annotated[str, Line(LONGEST["hello_hostname"])] = ""
    max_conns: Annotated[int, Whole(*BOUNDS["max_conns"])] = Defaults.max_conns
    idle_timeout: Annotated[int, Whole(*BOUNDS["idle_timeout"])] = Defaults.idle_timeout
    wait_timeout: Annotated[int, Whole(*BOUNDS["wait_timeout"])] = Defaults.wait_timeout
    enabled: bool = True
    daily_limit: Annotated[int, Whole(*BOUNDS["daily_limit"])] = Defaults.daily_limit
    sliding_window: bool = False
    sliding_window_duration: Annotated[int, Whole(*BOUNDS["sliding_window_duration"])] = (
        Defaults.sliding_window_duration
    )
    sliding_window_rate: Annotated[int, Whole(*BOUNDS["sliding_window_rate"])] = Defaults.sliding_window_rate
    window: Annotated[str, Line(LONGEST["window"])] | None = None

    def given(self) -> tuple[dict[str, Any], str | None]:
        """The settings that were given, and the password, None where none was."""
        settings = self.model_dump(exclude_unset=True)
        return settings, settings.pop("password", None)


class NewServer(ServerFields):
    name: Annotated[str, Line(LONGEST["name"], 1)]
    host: Annotated[str, Line(LONGEST["host"], 1)]
    from_email: Annotated[str, Line(LONGEST_MAILBOX)] = Field(
        "", description="Empty: the policy's `default_from`; one of the two is needed."
    )


class ServerChanges(ServerFields):
    """What is not given stays as it is."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    name: Annotated[str, Line(LONGEST["name"], 1)] = ""
    host: Annotated[str, Line(LONGEST["host"], 1)] = ""
    from_email: Annotated[str, Line(LONGEST_MAILBOX, 3)] = ""


class NewSuspension(Body):
    reason: Annotated[str, Line(LONGEST_REASON, 1)]
    until: Annotated[Instant | None, Field(description="Null: until somebody resumes it.")] = None


class ServerAnswer(Answer):
    id: int
    uuid: UUID
    name: str
    host: str
    port: int
    auth_protocol: AuthProtocol
    username: str
    tls_type: TlsType
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
    unavailable_code: Reason | None
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
    """All settings of all servers, by name

    Passwords are never told.
    """
    with reading() as cursor:
        settings = {one.server: one for one in all_servers(cursor)}
        capacity = availability.capacity(cursor, services().clock.now())
    return [described(settings[one.number], one) for one in capacity.servers]


@endpoint(
    blueprint, "GET", "/api/servers/<int:number>",
    needs="read", answer=ServerAnswer, errors=(404,), versioned=True,
)  # fmt: skip
def one(number: int) -> Versioned:
    """One server"""
    return shown(number)


@endpoint(
    blueprint, "POST", "/api/servers",
    needs="configure", body=NewServer, answer=ServerAnswer, status=201, versioned=True,
)  # fmt: skip
def add(body: NewServer) -> Versioned:
    """Add a server, in use at once"""
    settings, password = body.given()
    return shown(Servers(services()).add(settings, password, by=actor()))


@endpoint(
    blueprint, "PUT", "/api/servers/<int:number>",
    needs="configure", body=ServerChanges, answer=ServerAnswer, errors=(404, 409), versioned=True,
    if_match=OfStream(server_stream),
)  # fmt: skip
def change(number: int, body: ServerChanges) -> Versioned:
    """Change a server; what is not given stays. In force at once, without a restart"""
    changes, password = body.given()
    Servers(services()).change(there(number), changes, password, by=actor())
    return shown(number)


@endpoint(
    blueprint, "PUT", "/api/servers/<int:number>/enable",
    needs="configure", answer=ServerAnswer, errors=(404,), versioned=True, if_match=OfStream(server_stream),
)  # fmt: skip
def enable(number: int) -> Versioned:
    """Use the server"""
    Servers(services()).enable(there(number), by=actor())
    return shown(number)


@endpoint(
    blueprint, "PUT", "/api/servers/<int:number>/disable",
    needs="configure", answer=ServerAnswer, errors=(404,), versioned=True, if_match=OfStream(server_stream),
)  # fmt: skip
def disable(number: int) -> Versioned:
    """Send nothing more through the server"""
    Servers(services()).disable(there(number), by=actor())
    return shown(number)


@endpoint(
    blueprint, "PUT", "/api/servers/<int:number>/suspend",
    needs="configure", body=NewSuspension, answer=ServerAnswer, errors=(404,), versioned=True,
    if_match=OfStream(server_stream),
)  # fmt: skip
def suspend(number: int, body: NewSuspension) -> Versioned:
    """Suspend the server for a time"""
    Servers(services()).suspend(there(number), body.reason, body.until, by=actor())
    return shown(number)


@endpoint(
    blueprint, "PUT", "/api/servers/<int:number>/resume",
    needs="configure", answer=ServerAnswer, errors=(404,), versioned=True, if_match=OfStream(server_stream),
)  # fmt: skip
def resume(number: int) -> Versioned:
    """End a suspension, whoever or whatever began it"""
    Servers(services()).resume(there(number), by=actor())
    return shown(number)


def there(number: int) -> int:
    """Raises Refusal 404 for a number that no server can have."""
    if not 0 < number <= LARGEST_NUMBER:
        raise Refusal(404, f"There is no server {number}.")
    return number


def shown(number: int) -> Versioned:
    """As the projections have it. Raises Refusal 404."""
    with reading() as cursor:
        version = shown_version(cursor, server_stream(there(number)))
        found = next((one for one in all_servers(cursor) if one.server == number), None)
        capacity = availability.capacity(cursor, services().clock.now())
    now = next((one for one in capacity.servers if one.number == number), None)
    if found is None or now is None:
        raise Refusal(404, f"There is no server {number}.")
    return Versioned(described(found, now), version)


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
