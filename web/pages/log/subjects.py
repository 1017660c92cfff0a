"""Where what an event is about is found."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.streams import Kind, campaign_of, kind_of, number_of
from web.pages.log.event_descriptions import Names


@dataclass(frozen=True)
class Subject:
    """What an event is about. `path` is empty where there is no page about it."""

    text: str
    path: str = ""


def subject(stream: UUID, servers: Names) -> Subject:
    try:
        kind = kind_of(stream)
    except ValueError:
        return Subject(str(stream))
    campaign, number = campaign_of(stream), number_of(stream)
    match kind:
        case Kind.CAMPAIGN | Kind.AUDIENCE | Kind.ESTIMATE | Kind.SEND_TEST:
            return Subject(f"campaign {campaign}", f"/campaigns/{campaign}")
        case Kind.DELIVERY:
            return Subject(f"e-mail {campaign}/{number}", f"/queue/{campaign << 32 | number}")
        case Kind.SERVER | Kind.CAPACITY:
            return Subject(servers.get(number, f"server {number}"), f"/servers/{number}")
        case Kind.USER if number == 0:
            return Subject("users", "/users")
        case Kind.POLICY:
            return Subject("settings", "/settings")
        case _:
            return Subject(f"{kind.name.lower()} {number}", PATHS.get(kind.name, "").format(number))


PATHS = {
    "USER": "/users/{}",
    "KEY": "/users",
    "LIST": "/lists/{}",
    "TEMPLATE": "/templates/{}",
    "PERSON": "/subscribers/{}",
}
