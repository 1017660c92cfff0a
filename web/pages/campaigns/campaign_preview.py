"""A campaign as its readers will see it: previews, and test e-mails to a few addresses."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.campaigns.drafts import Draft, TestEmail, UnmakeableError
from application.campaigns.previews import CampaignMessages
from application.campaigns.test_addresses import checked_addresses
from domain.errors import Refused
from storage.people import directory
from web.http.access import actor, needs
from web.http.services import reading, services
from web.pages.campaigns.campaign_form import draft_of, given
from web.pages.notices import say
from web.shapes.campaigns import LARGEST_BODY

blueprint = Blueprint("campaign_preview", __name__)

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; font-src https: data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)
"""What an e-mail may do in its frame: be seen. Its links and scripts lead nowhere."""


@blueprint.post("/campaigns/preview")
@needs("write", largest_body=LARGEST_BODY)
def typed() -> Response:
    """Of what stands in the form, saved or not."""
    values = given()
    try:
        draft = draft_of(values)
    except Refused as refused:
        return told(refused.message)
    return shown(draft, values["like"], request.form.get("part", "html"))


@blueprint.get("/campaigns/<int:number>/preview")
@needs("write")
def kept(number: int) -> Response:
    draft = CampaignMessages(services()).draft(number)
    return shown(draft, request.args.get("like", ""), request.args.get("part", "html"))


@blueprint.post("/campaigns/<int:number>/test")
@needs("send")
def send_test(number: int) -> Response:
    messages = CampaignMessages(services())
    server = request.form.get("server", "")
    back = redirect(url_for("campaign_page.page", number=number, _anchor="test"), 303)
    try:
        addresses = checked_addresses(request.form.get("addresses", ""))
        like = recipient(request.form.get("model", ""))
        sent = messages.send_test(
            messages.draft(number),
            addresses,
            int(server) if server.isascii() and server.isdigit() and len(server) < 10 else None,
            like=like,
            by=actor(),
        )
    except (Refused, UnmakeableError) as error:
        say(f"No test e-mail was sent: {error}", "bad")
        return back
    services().catch_up()
    report(sent)
    return back


def report(sent: list[TestEmail]) -> None:
    accepted = [one for one in sent if one.outcome == "accepted"]
    if accepted:
        names = ", ".join(one.address for one in accepted)
        say(f"Accepted by {', '.join(sorted({one.server for one in accepted}))}: {names}")
    for one in sent:
        if one.outcome != "accepted":
            through = f" by {one.server}" if one.server else ""
            say(f"{one.address}: {one.outcome}{through}. {one.detail}", "bad")


def recipient(who: str) -> int | None:
    """The number of a subscriber named by address or number, None for nobody. Raises Refused."""
    if not who.strip():
        return None
    with reading() as cursor:
        found = directory.find_recipient(cursor, who.strip()[:320])
    if found is None:
        raise Refused(f"there is no subscriber {who.strip()[:100]!r}.", "like")
    return found.number


def shown(draft: Draft, who: str, part: str) -> Response:
    try:
        message = CampaignMessages(services()).preview(draft, recipient(who))
    except (Refused, UnmakeableError) as error:
        return told(str(error))
    wants_text = (part == "text" and message.text is not None) or message.html is None
    page = render_template("campaigns/preview.html", message=message, wants_text=wants_text, trouble="")
    return framed(page)


def told(trouble: str) -> Response:
    return framed(render_template("campaigns/preview.html", message=None, trouble=trouble))


def framed(page: str) -> Response:
    response = make_response(page)
    response.headers["Content-Security-Policy"] = POLICY
    return response
