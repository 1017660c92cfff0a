"""Campaigns as the messages they become, as listmonk has it: previews and test e-mails."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import Field

from application.campaigns.bodies import CampaignBodies
from application.campaigns.drafts import Draft, UnmakeableError
from application.campaigns.previews import CampaignMessages
from domain.addresses import email_address
from domain.campaign.content import ContentType
from domain.errors import Refused
from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.services import services
from web.listmonk.campaigns.bodies import CampaignBody, fields_of
from web.listmonk.campaigns.campaigns import there
from web.shapes.campaigns import LARGEST_BODY

blueprint = Blueprint("listmonk_campaign_messages", __name__)

POLICY = "default-src 'none'; img-src data: https: http:; style-src 'unsafe-inline'; sandbox"
"""Whoever wrote the HTML runs nothing in the browser of who looks at it."""


class TestBody(CampaignBody):
    subscribers: Annotated[list[str], Field(min_length=1, max_length=20)]


@endpoint(
    blueprint, "GET", "/api/campaigns/<int:number>/preview",
    needs="write", errors=(404,), media=("text/html", "text/plain"),
)  # fmt: skip
def preview(number: int) -> Response:
    """What somebody on its lists would read

    HTML, or plain text for a plain campaign.
    """
    draft, _ = CampaignBodies(services()).draft({}, there(number).content, number)
    return shown(draft)


@endpoint(
    blueprint, "POST", "/api/campaigns/<int:number>/preview",
    needs="write", errors=(404,), media=("text/html", "text/plain"), largest_body=LARGEST_BODY,
    takes={"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}, changes_nothing=True,
)  # fmt: skip
def preview_changed(number: int) -> Response:
    """What somebody would read if it were changed

    The form's `body`, `content_type` and `template_id` take the place of the campaign's; nothing is kept.
    """
    draft, _ = CampaignBodies(services()).draft(form_fields(), there(number).content, number)
    return shown(draft)


def form_fields() -> dict[str, Any]:
    """Raises Refused."""
    fields: dict[str, Any] = {"body": request.form.get("body", "")}
    if content_type := request.form.get("content_type", ""):
        if content_type not in set(ContentType):
            raise Refused(f"content_type: one of {', '.join(ContentType)} is expected", "content_type")
        fields["content_type"] = content_type
    if template := request.form.get("template_id", "").strip():
        if not (template.isascii() and template.isdigit() and len(template) < 10):
            raise Refused("template_id: a number is expected", "template_id")
        fields["template"] = int(template) or None
    return fields


@endpoint(
    blueprint, "POST", "/api/campaigns/<int:number>/test",
    needs="send", body=TestBody, answer=bool, errors=(404, 409), largest_body=LARGEST_BODY,
)  # fmt: skip
def send_test(number: int, body: TestBody) -> bool:
    """Send it to a few addresses at once

    With the fields that are given in the place of the campaign's; nothing of it is kept. The addresses need
    not be those of subscribers. 409 says which e-mails did not go out, and why.
    """
    addresses = list(dict.fromkeys(address.strip().lower() for address in body.subscribers))
    for address in addresses:
        if wrong := email_address.wrong_with(address):
            raise Refused(f"subscribers: {wrong}", "subscribers")
    fields = fields_of(body, is_new=False)
    before = there(number).content
    draft, _ = CampaignBodies(services()).draft(fields, before, number)
    messenger = fields.get("messenger", before["messenger"])
    try:
        trials = CampaignMessages(services()).send_test(draft, addresses, messenger, by=actor())
    except UnmakeableError as error:
        raise Refused(f"body: {error}", "body") from None
    failed = [f"{one.address}: {one.outcome}, {one.detail}" for one in trials if one.outcome != "accepted"]
    if failed:
        raise Refusal(409, "; ".join(failed))
    return True


def shown(draft: Draft) -> Response:
    try:
        message = CampaignMessages(services()).preview(draft, None)
    except UnmakeableError as error:
        raise Refused(f"body: {error}", "body") from None
    is_plain = message.html is None
    response = Response(message.text if is_plain else message.html)
    response.mimetype = "text/plain" if is_plain else "text/html"
    response.headers["Content-Security-Policy"] = POLICY
    return response
