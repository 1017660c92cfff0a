"""Campaigns for people: the list, and writing one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from pydantic import Field
from werkzeug.wrappers import Response

from application.campaigns.campaigns import Campaigns
from application.dashboard.model import share
from domain.campaign.campaign import Campaign
from domain.campaign.state import OVER, STARTED, State
from domain.errors import Refused
from projections import campaign_progress
from projections.campaign_progress import Progress
from web.http.access import actor, needs
from web.http.contract import read_query
from web.http.services import reading, services
from web.http.shapes import Line, Paged
from web.pages.campaigns import campaign_form
from web.pages.campaigns.campaign_form import choices, faults_of, fields_of, given
from web.pages.dashboard.chart import Segment, stacked
from web.pages.dashboard.rows import CAMPAIGN_TONES, DONE
from web.pages.forms import link_with
from web.pages.notices import say
from web.pages.words import LABELS
from web.shapes.campaigns import LARGEST_BODY

blueprint = Blueprint("campaign_pages", __name__)

PER_PAGE = 20
STATES = (*STARTED, State.SCHEDULED, State.DRAFT, *OVER)


class CampaignListQuery(Paged):
    status: list[State] = Field(default_factory=list)
    search: Annotated[str, Line(200)] | None = None
    kind: Literal["letters", "transactional"] = "letters"


@dataclass(frozen=True, kw_only=True)
class Row:
    campaign: Progress
    tone: str
    total: int
    done_share: str
    spoken: str
    segments: list[Segment]


@blueprint.get("/campaigns")
@needs("read")
def listed() -> str:
    """Newest first."""
    query = read_query(CampaignListQuery)
    assert isinstance(query, CampaignListQuery)
    states = [state for state in STATES if state in query.status] or None
    is_transactional = query.kind == "transactional"
    with reading() as cursor:
        total = campaign_progress.count(cursor, states, query.search, transactional=is_transactional)
        found = campaign_progress.campaigns(
            cursor, states, PER_PAGE, offset=(query.page - 1) * PER_PAGE, search=query.search,
            transactional=is_transactional,
        )  # fmt: skip
    return render_template(
        "campaigns/list.html",
        rows=[_row(one) for one in found],
        total=total,
        page=query.page,
        pages=max(1, -(-total // PER_PAGE)),
        states=STATES,
        chosen=states or [],
        search=query.search or "",
        is_transactional=is_transactional,
        link=link_with,
    )


def _row(campaign: Progress) -> Row:
    total = max(campaign.total, campaign.recipients or 0)
    done = sum(campaign.counts[status] for status in DONE)
    parts = [(status, campaign.counts[status]) for status in LABELS]
    return Row(
        campaign=campaign,
        tone=CAMPAIGN_TONES.get(campaign.state, ""),
        total=total,
        done_share=share(done, total) if total else "",
        spoken=", ".join(f"{count:,} {LABELS[status].lower()}" for status, count in parts if count),
        segments=stacked(parts, total),
    )


@blueprint.get("/campaigns/new")
@needs("write")
def new() -> Response:
    return form(campaign_form.fresh(), {})


@blueprint.post("/campaigns/new")
@needs("write", largest_body=LARGEST_BODY)
def create() -> Response:
    values = given()
    try:
        timed = send_at(values)
        number = Campaigns(services()).create(fields_of(values), by=actor())
    except Refused as refused:
        return form(values, faults_of(refused, values), status=400)
    say(f"“{values['name'].strip()}” is saved as a draft.")
    return after_saving(number, timed)


@blueprint.get("/campaigns/<int:number>/edit")
@needs("write")
def edit(number: int) -> Response:
    campaign = editable(number)
    return form(campaign_form.standing(campaign), {}, campaign)


@blueprint.post("/campaigns/<int:number>/edit")
@needs("write", largest_body=LARGEST_BODY)
def change(number: int) -> Response:
    campaign, values = editable(number), given()
    try:
        timed = send_at(values)
        Campaigns(services()).edit(number, fields_of(values, campaign), by=actor())
    except Refused as refused:
        return form(values, faults_of(refused, values), campaign, status=400)
    say("Changes saved.")
    return after_saving(number, timed)


@blueprint.post("/campaigns/<int:number>/copy")
@needs("write")
def copy(number: int) -> Response:
    new_number = Campaigns(services()).copy(number, by=actor())
    say("Campaign copied. This is the copy, a draft.")
    return redirect(url_for("campaign_pages.edit", number=new_number), 303)


def editable(number: int) -> Campaign:
    """Raises Refused for one that was started, Missing for one that there is not."""
    campaign = services().application.campaign(number)
    if not campaign.state.is_editable:
        raise Refused(f"A {campaign.state} campaign cannot be edited. Copy it instead.")
    return campaign


def send_at(values: dict[str, Any]) -> str:
    """The start time as it was typed, once it is known to be one. Raises Refused."""
    campaign_form.send_at_of(values["send_at"], services().application.policy().timezone)
    return str(values["send_at"]).strip()


def after_saving(number: int, timed: str) -> Response:
    """To the estimate when a start time was given or the start was asked for, else to the campaign."""
    if timed or request.form.get("next") == "start":
        return redirect(url_for("campaign_start.page", number=number, send_at=timed or None), 303)
    return redirect(url_for("campaign_page.page", number=number), 303)


def form(
    values: dict[str, Any], errors: dict[str, str], campaign: Campaign | None = None, status: int = 200
) -> Response:
    page = render_template(
        "campaigns/form.html", values=values, errors=errors, campaign=campaign, **choices()
    )
    response = make_response(page, status)
    campaign_form.let_frames_in(response)
    return response
