"""The form that a campaign is written in: what it shows, and what comes back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request

from domain.errors import Refused
from domain.priority import Priority
from projections import servers as all_servers
from storage import directory
from web.campaign_commands import audiences
from web.guard import CONTENT_SECURITY_POLICY
from web.messages import Draft
from web.services import reading, services

LARGEST_BODY = 5_000_000
"""Bytes of a form with both bodies, percent-encoded."""

AUTOMATIC = ""
PRIORITIES = (
    (Priority.HIGH.value, "High", "before all others"),
    (Priority.NORMAL.value, "Normal", "by turns with others"),
    (Priority.LOW.value, "Low", "when nothing else waits"),
)


@dataclass(frozen=True, kw_only=True)
class ListChoice:
    number: int
    name: str
    people: int


def empty() -> dict[str, Any]:
    return {
        "name": "",
        "subject": "",
        "lists": [],
        "html": "",
        "text": "",
        "messenger": AUTOMATIC,
        "priority": Priority.NORMAL.value,
        "headers": "",
        "send_at": "",
        "like": "",
    }


def standing(draft: Draft, content: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a campaign that is there; `content` as the aggregate has it."""
    return {
        **empty(),
        "name": draft.name,
        "subject": draft.subject,
        "lists": list(draft.lists),
        "html": draft.html or "",
        "text": draft.text or "",
        "messenger": AUTOMATIC if content["messenger"] is None else str(content["messenger"]),
        "priority": content["priority"],
        "headers": "\n".join(f"{name}: {value}" for name, value in draft.headers),
    }


def given() -> dict[str, Any]:
    """What was typed, to be shown again."""
    values = {name: request.form.get(name, default) for name, default in empty().items()}
    values["lists"] = [int(text) for text in request.form.getlist("lists") if _is_number(text)]
    for body in ("html", "text", "headers"):
        values[body] = values[body].replace("\r\n", "\n")
    return values


def fields_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """As the commands take them. Raises Refused."""
    return {
        "name": values["name"],
        "subject": values["subject"],
        "lists": values["lists"],
        "html": values["html"] if values["html"].strip() else None,
        "text": values["text"] if values["text"].strip() else None,
        "messenger": int(values["messenger"]) if _is_number(values["messenger"]) else None,
        "priority": values["priority"],
        "headers": headers_of(values["headers"]),
    }


def headers_of(text: str) -> list[list[str]]:
    """From lines of `Name: value`. Raises Refused."""
    headers = []
    for place, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise Refused(f"headers: line {place} is not like 'Name: value'", "headers")
        headers.append([name.strip(), value.strip()])
    return headers


def draft_of(values: Mapping[str, Any], number: int = 0) -> Draft:
    """What is in the form, to be previewed. Raises Refused for headers that are none."""
    fields = fields_of(values)
    return Draft(
        number=number,
        name=fields["name"].strip() or "Campaign",
        subject=fields["subject"].strip(),
        text=fields["text"],
        html=fields["html"],
        headers=[(name, value) for name, value in fields["headers"]],
        lists=fields["lists"],
    )


def send_at_of(text: str, timezone: str) -> datetime | None:
    """An instant from a wall time such as 2026-03-06T07:00 in the policy's zone; a time that a clock change
    leaves out counts as the time after it. Raises Refused."""
    if not text.strip():
        return None
    try:
        wall = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused("send_at: this is no date and time", "send_at") from None
    local = wall if wall.tzinfo else wall.replace(tzinfo=ZoneInfo(timezone))
    instant = local.astimezone(UTC)
    if instant <= services().clock.now():
        raise Refused("send_at: this is not in the future", "send_at")
    return instant


def choices() -> dict[str, Any]:
    """What the form offers."""
    with reading() as cursor:
        now = services().clock.now()
        known = directory.list_names(cursor)
        lists = [
            ListChoice(number=number, name=name, people=audiences().size(cursor, [number], now))
            for number, name in known
        ]
        found = all_servers.servers(cursor)
    return {
        "list_choices": lists,
        "servers": [(AUTOMATIC, "Automatic (queue-based)")] + [(str(one.server), one.name) for one in found],
        "sender": found[0].settings["from_email"] if found else "news@example.com",
        "priorities": PRIORITIES,
        "timezone": services().application.policy().timezone,
        "largest": 1_000_000,
    }


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 2**31


def addresses_of(text: str) -> Sequence[str]:
    """Separated by commas, semicolons, blanks or line ends; each once."""
    words = text.replace(",", " ").replace(";", " ").split()
    return list(dict.fromkeys(words))


def let_frames_in(response: Response) -> None:
    """The page may show previews, which are our own pages, in a frame."""
    response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
