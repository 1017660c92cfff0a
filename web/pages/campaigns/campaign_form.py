"""The form that a campaign is written in: what it shows, and what comes back from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request

from application.campaigns import bodies
from application.campaigns.bodies import CampaignBodies, Written
from application.campaigns.drafts import Draft
from domain.campaign.campaign import Campaign
from domain.campaign.priority import Priority
from domain.campaign.template import TemplateType
from domain.errors import Refused
from domain.streams import LARGEST_NUMBER
from projections import servers as all_servers
from projections import templates
from storage.people import directory
from web.http.guard import CONTENT_SECURITY_POLICY
from web.http.services import reading, services
from web.pages.forms import faults

"""Bytes of a form with both bodies, percent-encoded."""

AUTOMATIC = ""
HTML, PLAIN = "html", "plain"
CONTENT_TYPES = ((HTML, "HTML"), ("markdown", "Markdown"))
PRIORITIES = (
    (Priority.HIGH.value, "High", "before all others"),
    (Priority.NORMAL.value, "Normal", "shared evenly"),
    (Priority.LOW.value, "Low", "when nothing else is queued"),
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
        "template": "",
        "content_type": HTML,
        "headers": "",
        "send_at": "",
        "like": "",
    }


def fresh() -> dict[str, Any]:
    """Those of a new one: in the default template, where there is one."""
    with reading() as cursor:
        default = templates.default_template(cursor)
    return {**empty(), "template": "" if default is None else str(default)}


def standing(campaign: Campaign) -> dict[str, Any]:
    """The values of a campaign that is there."""
    content = campaign.content
    with reading() as cursor:
        written = bodies.written(cursor, content)
    html, text = ("", written.body) if written.is_plain else (written.body, written.altbody)
    return {
        **empty(),
        "name": campaign.name,
        "subject": campaign.subject,
        "lists": list(campaign.lists),
        "html": html,
        "text": text or "",
        "template": "" if written.template is None else str(written.template),
        "content_type": HTML if written.is_plain else written.content_type,
        "messenger": AUTOMATIC if campaign.messenger is None else str(campaign.messenger),
        "priority": campaign.priority,
        "headers": "\n".join(f"{name}: {value}" for name, value in campaign.headers),
    }


def given() -> dict[str, Any]:
    """What was typed, to be shown again."""
    values = {name: request.form.get(name, default) for name, default in empty().items()}
    values["lists"] = [int(text) for text in request.form.getlist("lists") if _is_number(text)]
    for body in ("html", "text", "headers"):
        values[body] = values[body].replace("\r\n", "\n")
    return values


def fields_of(values: Mapping[str, Any], before: Campaign | None = None) -> dict[str, Any]:
    """As the commands take them. Raises Refused."""
    return {
        "name": values["name"],
        "subject": values["subject"],
        "lists": values["lists"],
        "messenger": int(values["messenger"]) if _is_number(values["messenger"]) else None,
        "priority": values["priority"],
        "headers": headers_of(values["headers"]),
        **bodies_of(values, before),
    }


def bodies_of(values: Mapping[str, Any], before: Campaign | None) -> dict[str, Any]:
    """What is HTML and in no template is sent as it is; anything else is made from what was written."""
    written = written_of(values)
    html, text = (values[name] if values[name].strip() else None for name in ("html", "text"))
    was_made = before is not None and before.content["body"] is not None
    if written is None or (written.content_type == HTML and written.template is None and not was_made):
        return {"html": html, "text": text}
    return written._asdict()


def written_of(values: Mapping[str, Any]) -> Written | None:
    """None when both bodies are empty. A text alone is in no template: those are HTML."""
    html, text = values["html"], values["text"]
    if html.strip():
        template = int(values["template"]) if _is_number(values["template"]) else None
        return Written(html, text if text.strip() else None, values["content_type"], template)
    return Written(text, None, PLAIN, None) if text.strip() else None


def faults_of(refused: Refused, values: Mapping[str, Any]) -> dict[str, str]:
    """By the fields of the form."""
    body = "html" if values["html"].strip() else "text"
    names = {"body": body, "altbody": "text"}
    fields = {names.get(name, name): text.removeprefix(f"{name}: ") for name, text in refused.fields.items()}
    return faults(Refused.for_fields(fields) if fields else refused)


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
    """What is in the form, to be previewed. Raises Refused for headers or a template that are none."""
    written = written_of(values)
    if written is None:
        raise Refused("Nothing to preview yet.")
    made = CampaignBodies(services()).made(written)
    return Draft(
        number=number,
        name=values["name"].strip() or "Campaign",
        subject=values["subject"].strip(),
        text=made.text,
        html=made.html,
        headers=[(name, value) for name, value in headers_of(values["headers"])],
        lists=values["lists"],
    )


def send_at_of(text: str, timezone: str) -> datetime | None:
    """An instant from a wall time such as 2026-03-06T07:00 in the policy's zone; a time that a clock change
    leaves out counts as the time after it. Raises Refused."""
    if not text.strip():
        return None
    try:
        wall = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused("send_at: a date and time is expected", "send_at") from None
    local = wall if wall.tzinfo else wall.replace(tzinfo=ZoneInfo(timezone))
    instant = local.astimezone(UTC)
    if instant <= services().clock.now():
        raise Refused("send_at: must be in the future", "send_at")
    return instant


def choices() -> dict[str, Any]:
    """What the form offers."""
    with reading() as cursor:
        now = services().clock.now()
        known = directory.list_names(cursor)
        lists = [
            ListChoice(number=number, name=name, people=services().audiences.size(cursor, [number], now))
            for number, name in known
        ]
        found = all_servers.servers(cursor)
        kept = [one for one in templates.templates(cursor) if one.type == TemplateType.CAMPAIGN]
    return {
        "templates": [("", "None")] + [(str(one.template), one.name) for one in kept],
        "content_types": CONTENT_TYPES,
        "list_choices": lists,
        "servers": [(AUTOMATIC, "Automatic")] + [(str(one.server), one.name) for one in found],
        "sender": found[0].settings["from_email"] if found else "news@example.com",
        "priorities": PRIORITIES,
        "timezone": services().application.policy().timezone,
        "largest": 1_000_000,
    }


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) <= LARGEST_NUMBER


def let_frames_in(response: Response) -> None:
    """The page may show previews, which are our own pages, in a frame."""
    response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
