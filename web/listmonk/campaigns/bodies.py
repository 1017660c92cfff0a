"""What is sent of a campaign in listmonk's words, and what it comes to in ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from domain.campaign.content import MOST_HEADERS, ContentType
from domain.campaign.priority import Priority
from domain.campaign.template import TemplateType
from domain.errors import Refused
from domain.server.settings import AUTOMATIC
from domain.streams import LARGEST_NUMBER, Kind, kind_of, number_of
from projections import servers
from projections.templates import default_template, template
from storage import content
from storage.people import lists
from web.http.services import reading, services
from web.http.shapes import Instant
from web.listmonk.people.lists import Tags, normalised
from web.listmonk.shapes import Lenient, Number

Header = Annotated[dict[str, str], Field(max_length=MOST_HEADERS)]


class CampaignBody(Lenient):
    """`messenger` is `email` or `automatic` for all servers, or one server's name (also as `email-NAME`) or
    UUID. `from_email` is taken and not used: the server that sends decides. `type` optin and `media` are not
    offered."""

    name: str | None = None
    subject: str | None = None
    lists: Annotated[list[Number], Field(max_length=1000)] | None = None
    from_email: str | None = None
    type: Literal["regular", ""] | None = None
    content_type: ContentType | Literal[""] | None = None
    body: str | None = None
    body_source: str | None = None
    altbody: str | None = None
    send_at: Instant | None = None
    messenger: str | None = None
    template_id: Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] | None = None
    tags: Tags | None = None
    headers: Annotated[list[Header], Field(max_length=MOST_HEADERS)] | Header | None = None
    attribs: dict[str, Any] | None = None
    media: Annotated[list[Any], Field(max_length=0)] | None = None
    priority: Priority | None = None


class NewCampaign(CampaignBody):
    name: str
    subject: str
    lists: Annotated[list[Number], Field(min_length=1, max_length=1000)]


def fields_of(body: CampaignBody, *, is_new: bool) -> dict[str, Any]:
    """As the commands for campaigns take them. Raises Refused."""
    given = body.given()
    plain = ("name", "subject", "lists", "priority")
    fields: dict[str, Any] = {name: given[name] for name in plain if name in given}
    if body.tags is not None:
        fields["tags"] = normalised(body.tags)
    if body.attribs is not None:
        fields["attributes"] = body.attribs
    if body.headers is not None:
        pairs = body.headers if isinstance(body.headers, list) else [body.headers]
        fields["headers"] = [[name, value] for pair in pairs for name, value in pair.items()]
    if "send_at" in body.model_fields_set:
        fields["planned_for"] = in_the_future(body)
    if body.messenger is not None:
        fields["messenger"] = messenger_number(body.messenger)
    return fields | bodies_of(body, is_new)


def in_the_future(body: CampaignBody) -> str | None:
    if body.send_at is None:
        return None
    if body.send_at <= services().clock.now():
        raise Refused("send_at: is not in the future", "send_at")
    return body.send_at.isoformat()


def bodies_of(body: CampaignBody, is_new: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if body.body is not None or is_new:
        fields["body"] = body.body or ""
    if "altbody" in body.model_fields_set:
        fields["altbody"] = body.altbody or None
    if body.content_type or is_new:
        fields["content_type"] = body.content_type or "richtext"
    if body.template_id is not None or (not is_new and "template_id" in body.model_fields_set):
        fields["template"] = body.template_id or None
    elif is_new and fields["content_type"] not in ("visual", "plain"):
        with reading() as cursor:
            fields["template"] = default_template(cursor)
    return from_visual_template(fields)


def from_visual_template(fields: dict[str, Any]) -> dict[str, Any]:
    """A template for visual campaigns is what they begin with: it is copied, and stands around nothing."""
    if not fields.get("template"):
        return fields
    with reading() as cursor:
        found = template(cursor, fields["template"])
        if found is None:
            raise Refused(f"template_id: there is no template {fields['template']}", "template_id")
        if found.type != TemplateType.CAMPAIGN_VISUAL:
            return fields
        copied = fields.get("body") or content.text_of(cursor, found.body)
    return {**fields, "template": None, "content_type": "visual", "body": copied}


def messenger_number(name: str) -> int | None:
    """None for all servers. Raises Refused."""
    if name in ("", "email", AUTOMATIC):
        return None
    with reading() as cursor:
        known = {one.name: one.server for one in servers.servers(cursor)}
    number = known.get(name) or known.get(name.removeprefix("email-")) or _server_of(name)
    if number is None:
        raise Refused(f"messenger: there is no messenger {name[:60]!r}", "messenger")
    return number


def _server_of(name: str) -> int | None:
    try:
        uuid = UUID(name)
        return number_of(uuid) if kind_of(uuid) is Kind.SERVER else None
    except ValueError:
        return None


def check_lists(fields: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """That the lists are there, but for those that it had before. Raises Refused."""
    new = set(fields.get("lists", ())) - set(before.get("lists", ()))
    with reading() as cursor:
        unknown = lists.missing(cursor, sorted(new))
    if unknown:
        raise Refused(f"lists: there is no list {', '.join(map(str, unknown))}", "lists")
