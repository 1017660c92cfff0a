"""Before a campaign starts: how long it will take, and what would change that."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.campaigns.campaigns import Campaigns
from application.campaigns.previews import CampaignMessages
from application.forecasts.description import forecast_view
from application.forecasts.situations import situation
from domain.campaign.campaign import Campaign
from domain.errors import Refused
from domain.forecast.bottleneck import Situation, assess
from projections import campaign_progress
from web.http.access import actor, needs
from web.http.heavy_requests import heavy
from web.http.services import reading, services
from web.pages.campaigns.campaign_form import send_at_of
from web.pages.campaigns.campaigns import editable
from web.pages.forms import faults
from web.pages.notices import say

blueprint = Blueprint("campaign_start", __name__)


@blueprint.get("/campaigns/<int:number>/start")
@needs("read")
def page(number: int) -> Response:
    return estimate(editable(number), request.args.get("send_at", ""), {})


@blueprint.post("/campaigns/<int:number>/start")
@needs("send")
def start(number: int) -> Response:
    """At once, or at `send_at`; or shows the estimate for that time."""
    campaign, typed = editable(number), request.form.get("send_at", "")
    if request.form.get("then") == "estimate":
        return redirect(url_for("campaign_start.page", number=number, send_at=typed or None), 303)
    is_timed = request.form.get("when") == "later"
    try:
        if not is_timed:
            Campaigns(services()).start(number, by=actor())
            say("Campaign started.")
        else:
            send_at = send_at_of(typed, services().application.policy().timezone)
            if send_at is None:
                raise Refused("send_at: choose a start time", "send_at")
            Campaigns(services()).reschedule(number, send_at, by=actor())
            say("Campaign scheduled. It starts by itself at that time.")
    except Refused as refused:
        return estimate(campaign, typed, faults(refused), is_timed, 400)
    return redirect(url_for("campaign_page.page", number=number), 303)


@blueprint.post("/campaigns/<int:number>/unschedule")
@needs("send")
def unschedule(number: int) -> Response:
    try:
        Campaigns(services()).unschedule(number, by=actor())
        say("Campaign unscheduled. It is a draft again.")
    except Refused as refused:
        say(refused.message, "bad")
    return redirect(url_for("campaign_page.page", number=number), 303)


def estimate(
    campaign: Campaign, typed: str, errors: dict[str, str], is_timed: bool | None = None, status: int = 200
) -> Response:
    found, wrong_time = situation_at(campaign, typed)
    messages = CampaignMessages(services())
    with reading() as cursor:
        progress = campaign_progress.progress(cursor, campaign.number)
    page = render_template(
        "campaigns/start.html",
        campaign=campaign,
        progress=progress,
        view=forecast_view(found, assess(found)),
        problems=messages.problems(messages.draft(campaign.number)),
        values={"send_at": typed},
        errors={**wrong_time, **errors},
        is_timed=bool(typed) if is_timed is None else is_timed,
        now=found.now,
    )
    return make_response(page, status)


def situation_at(campaign: Campaign, typed: str) -> tuple[Situation, dict[str, str]]:
    """With the start time that was typed, where it is one."""
    services().catch_up()
    with heavy(), reading() as cursor:
        found = situation(cursor, campaign.number, services().clock.now(), services().audiences)
    try:
        send_at = send_at_of(typed, found.policy.timezone)
    except Refused as refused:
        return found, faults(refused)
    if send_at is not None:
        return found.with_demand(starts=send_at), {}
    return found, {}
