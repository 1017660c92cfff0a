"""One campaign: how far it is, and steering it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.campaigns.campaigns import Campaigns
from application.dashboard.paces import Paces
from domain.campaign.test_send import SendTestEnded, SendTestStarted
from domain.errors import Missing, Refused
from domain.streams import LARGEST_NUMBER
from projections import campaign_history, campaign_progress, servers
from projections.campaign_history import CampaignEvent
from web.http.access import actor, needs
from web.http.errors import Refusal
from web.http.services import reading, services
from web.pages.campaigns.campaign_form import AUTOMATIC, PRIORITIES, let_frames_in
from web.pages.campaigns.view import CampaignView, campaign_view
from web.pages.forms import faults
from web.pages.log.event_descriptions import EventDescription, describe
from web.pages.notices import say

blueprint = Blueprint("campaign_page", __name__)

ASKED = {
    "pause": ("Pause", "No more e-mails are sent until you resume it. Those already on their way arrive."),
    "resume": ("Resume", "Sending continues as limits and the sending window allow."),
    "cancel": ("Cancel", "E-mails that are not sent yet will not be sent. This cannot be undone."),
    "discard": ("Discard", "It stays in the list as cancelled and can no longer be started."),
    "priority": ("Change priority of", "Applies to e-mails that are not sent yet."),
}


@blueprint.get("/campaigns/<int:number>")
@needs("read")
def page(number: int) -> Response:
    view = seen(number)
    with reading() as cursor:
        names = {one.server: one.name for one in servers.servers(cursor)}
        history = [(event, told_of(event, names)) for event in campaign_history.history(cursor, number)]
    page = render_template(
        "campaigns/page.html",
        view=view,
        c=view.campaign,
        history=history,
        servers=[(AUTOMATIC, "Automatic")] + [(str(n), name) for n, name in names.items()],
        is_editable=view.campaign.state.is_editable,
        values={"server": AUTOMATIC, "addresses": "", "model": ""},
        errors={},
        now=services().clock.now(),
    )
    response = make_response(page)
    let_frames_in(response)
    return response


def told_of(event: CampaignEvent, names: Mapping[int, str]) -> EventDescription:
    """The history has the start of a test e-mail only where no end is on record."""
    if event.topic == SendTestStarted.TOPIC:
        return describe(SendTestEnded.TOPIC, {**event.state, "outcome": "unknown"}, names)
    return describe(event.topic, event.state, names)


@blueprint.get("/campaigns/<int:number>/live")
@needs("read")
def live(number: int) -> str:
    """The part of the page that changes while it is sent."""
    view = seen(number)
    return render_template("campaigns/live.html", view=view, c=view.campaign)


@blueprint.get("/campaigns/<int:number>/<any(pause, resume, cancel, discard):step>")
@needs("send")
def ask(number: int, step: str) -> Response:
    return question(number, step, {"reason": ""}, {})


@blueprint.post("/campaigns/<int:number>/<any(pause, resume, cancel, discard):step>")
@needs("send")
def steer(number: int, step: str) -> Response:
    reason = request.form.get("reason", "").strip()
    try:
        if step == "pause":
            Campaigns(services()).pause(number, reason, by=actor())
            say("Campaign paused.")
        elif step == "resume":
            Campaigns(services()).resume(number, reason, by=actor())
            say("Campaign resumed.")
        elif step == "cancel":
            Campaigns(services()).cancel(number, reason, by=actor())
            say("Campaign cancelled.")
        else:
            Campaigns(services()).discard(number, by=actor())
            say("Campaign discarded. You can still copy it.")
    except Missing:
        raise
    except Refused as refused:
        return question(number, step, {"reason": reason}, faults(refused), 400)
    return redirect(url_for("campaign_page.page", number=number), 303)


@blueprint.get("/campaigns/<int:number>/priority")
@needs("write")
def ask_for_priority(number: int) -> Response:
    return question(number, "priority", {"priority": seen(number).campaign.priority, "reason": ""}, {})


@blueprint.post("/campaigns/<int:number>/priority")
@needs("write")
def change_priority(number: int) -> Response:
    given = {name: request.form.get(name, "").strip() for name in ("priority", "reason")}
    try:
        Campaigns(services()).change_priority(number, **given, by=actor())
        say(f"Priority is now {given['priority']} now.")
    except Missing:
        raise
    except Refused as refused:
        return question(number, "priority", given, faults(refused), 400)
    return redirect(url_for("campaign_page.page", number=number), 303)


def question(
    number: int, step: str, values: dict[str, Any], errors: dict[str, str], status: int = 200
) -> Response:
    title, consequence = ASKED[step]
    page = render_template(
        "campaigns/ask.html",
        c=seen(number).campaign,
        step=step,
        title=title,
        consequence=consequence,
        priorities=[(value, f"{name}: {meaning}") for value, name, meaning in PRIORITIES],
        values=values,
        errors=errors,
    )
    return make_response(page, status)


def seen(number: int) -> CampaignView:
    """Raises Refusal 404."""
    now = services().clock.now()
    paces: Paces = current_app.extensions.setdefault("postledger.paces", Paces())
    with reading() as cursor:
        found = campaign_progress.progress(cursor, number) if number <= LARGEST_NUMBER else None
        if found is None:
            raise Refusal(404, f"There is no campaign {number}.")
        return campaign_view(cursor, found, now, paces, services().audiences)
