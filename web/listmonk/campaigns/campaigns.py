"""Campaigns, as listmonk has them: to look at, to write, to throw away."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, current_app
from pydantic import Field

from application import permission
from application.campaigns.bodies import CampaignBodies
from application.campaigns.campaigns import Campaigns
from application.dashboard.paces import Paces
from domain.campaign.campaign import Campaign
from domain.campaign.state import State
from domain.clock import instant
from domain.fields import LONGEST_TAG
from domain.streams import campaign_stream
from projections import campaign_progress
from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.if_match import OfStream
from web.http.services import reading, services
from web.http.shapes import Answer, Line, Query, Told, page_of
from web.http.versions import Versioned
from web.listmonk.campaigns.bodies import (
    CampaignBody,
    NewCampaign,
    check_lists,
    fields_of,
)
from web.listmonk.shapes import ListmonkPaged, ids_argument, listing
from web.shapes.campaigns import LARGEST_BODY, CampaignAnswer, described, progress, versioned

blueprint = Blueprint("listmonk_campaigns", __name__)


class CampaignQuery(ListmonkPaged):
    status: list[State] = Field(default_factory=list)
    query: Annotated[str, Line(200)] | None = None
    tag: list[Annotated[str, Line(LONGEST_TAG)]] = Field(default_factory=list)
    tags: list[Annotated[str, Line(LONGEST_TAG)]] = Field(default_factory=list)
    no_body: bool = False


class OneQuery(Query):
    no_body: bool = False


class RunningStats(Answer):
    """`rate` and `net_rate` are e-mails a minute: of late, and since the start."""

    id: int
    status: State
    to_send: int
    sent: int
    started_at: Told | None
    updated_at: Told
    rate: int
    net_rate: int


@endpoint(
    blueprint, "GET", "/api/campaigns", needs="read", query=CampaignQuery, answer=page_of(CampaignAnswer)
)
def listed(query: CampaignQuery) -> dict[str, Any]:
    """Campaigns, newest first

    `query` looks into names and subjects; all `tag` have to be there. `no_body` leaves out what they say.
    """
    window = query.window()
    states = sorted(set(query.status)) or None
    tags = [*query.tag, *query.tags] or None
    order_by, ascending = query.ordered(campaign_progress.ORDERS, "")
    with reading() as cursor:
        total = campaign_progress.count(cursor, states, query.query, tags)
        found = campaign_progress.campaigns(
            cursor, states, window.limit, offset=window.offset, search=query.query, tags=tags,
            order_by=order_by or None, ascending=ascending,
        )  # fmt: skip
        results = described(cursor, found, with_body=not query.no_body)
    page = listing(results, total, window, query=query.query or "")
    return page if total else {**page, "per_page": 0, "page": 0}


@endpoint(
    blueprint, "GET", "/api/campaigns/<int:number>",
    needs="read", query=OneQuery, answer=CampaignAnswer, errors=(404,), versioned=True,
)  # fmt: skip
def one(number: int, query: OneQuery) -> Versioned:
    """One campaign"""
    return versioned(number, with_body=not query.no_body)


@endpoint(
    blueprint, "POST", "/api/campaigns",
    needs="write", body=NewCampaign, answer=CampaignAnswer, largest_body=LARGEST_BODY, versioned=True,
)  # fmt: skip
def create(body: NewCampaign) -> Versioned:
    """A new campaign, as a draft

    Its body may be in Jinja, or in Go's templates as listmonk has them. 400 says in which line it is wrong.
    """
    fields = fields_of(body, is_new=True)
    check_lists(fields, {})
    CampaignBodies(services()).check(fields, {})
    return versioned(Campaigns(services()).create(fields, by=actor()))


@endpoint(
    blueprint, "PUT", "/api/campaigns/<int:number>",
    needs="write", body=CampaignBody, answer=CampaignAnswer, errors=(404, 409), largest_body=LARGEST_BODY,
    versioned=True, if_match=OfStream(campaign_stream),
)  # fmt: skip
def change(number: int, body: CampaignBody) -> Versioned:
    """Change a campaign that was not started

    What is left out stays as it is. `send_at` null makes a scheduled campaign a draft again, another time
    schedules it anew. Of a paused campaign only name, priority and tags can be changed.
    """
    campaign, campaigns = there(number), Campaigns(services())
    fields = fields_of(body, is_new=False)
    check_lists(fields, campaign.content)
    CampaignBodies(services()).check(fields, campaign.content)
    if fields:
        campaigns.edit(number, fields, by=actor())
    if "planned_for" in fields and campaign.state is State.SCHEDULED:
        campaigns.reschedule(number, body.send_at, by=actor())
    return versioned(number)


def there(number: int) -> Campaign:
    """Raises Refusal 404."""
    with reading() as cursor:
        progress(cursor, number)
    return services().application.campaign(number)


@endpoint(
    blueprint,
    "DELETE",
    "/api/campaigns/<int:number>",
    needs="write",
    answer=bool,
    errors=(404, 409),
    if_match=OfStream(campaign_stream),
)
def discard(number: int) -> bool:
    """Throw away a draft or a scheduled campaign

    It is shown no longer; that it was there stays on record. 409 for one that was started: what was sent is
    not forgotten.
    """
    there(number)
    Campaigns(services()).discard(number, by=actor())
    return True


@endpoint(blueprint, "DELETE", "/api/campaigns", needs="write", answer=bool, errors=(404, 409))
def discard_many() -> bool:
    """Throw away the drafts and scheduled campaigns whose `id` is given

    All or none.
    """
    numbers = sorted(set(ids_argument(needed_of="campaigns")))
    for number in numbers:
        campaign = there(number)
        if not campaign.state.is_editable:
            raise Refusal(409, f"Campaign {number} was started; what was sent is not forgotten.")
        permission.check("campaign.cancelled", of_draft=campaign.state is State.DRAFT)
    for number in numbers:
        Campaigns(services()).discard(number, by=actor())
    return True


@endpoint(blueprint, "GET", "/api/campaigns/running/stats", needs="read", answer=list[RunningStats])
def running_stats() -> list[dict[str, Any]]:
    """How far running campaigns are"""
    now = services().clock.now()
    with reading() as cursor:
        running = campaign_progress.campaigns(cursor, [State.RUNNING])
    stats = []
    for campaign in running:
        started = campaign.started_at or now
        minutes = max(1.0, (now - started).total_seconds() / 60)
        sent = campaign.counts["sent"]
        stats.append(
            {
                "id": campaign.campaign,
                "status": campaign.state,
                "to_send": campaign.total if campaign.recipients is None else campaign.recipients,
                "sent": sent,
                "started_at": instant(campaign.started_at),
                "updated_at": instant(campaign.changed_at),
                "rate": round(paces().rate(campaign.campaign, now, sent)),
                "net_rate": round(sent / minutes),
            }
        )
    return stats


def paces() -> Paces:
    found: Paces = current_app.extensions.setdefault("postledger.paces", Paces())
    return found
