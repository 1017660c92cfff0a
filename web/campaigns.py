"""Campaigns through the API: what there is, and their lifecycle."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Blueprint
from pydantic import Field

from domain.streams import campaign_stream, server_stream
from projections import campaign_progress
from projections.campaign_progress import Progress
from web import campaign_commands
from web.access import actor
from web.answers import instant, listing
from web.contract import endpoint
from web.errors import Refusal
from web.services import reading
from web.shapes import Answer, Body, Instant, Line, Paged, Told, page_of

blueprint = Blueprint("campaigns", __name__)

LONGEST_REASON = 500

StateName = Literal["draft", "scheduled", "running", "paused", "finished", "cancelled"]


class NewStatus(Body):
    status: Literal["running", "paused", "cancelled", "scheduled", "draft"]
    reason: Annotated[str, Line(LONGEST_REASON)] | None = None
    send_at: Instant | None = None


class CampaignQuery(Paged):
    status: list[StateName] = Field(default_factory=list)


class CampaignCounts(Answer):
    queued: int
    sending: int
    sent: int
    failed: int
    cancelled: int
    unknown: int
    suppressed: int


class CampaignAnswer(Answer):
    """`to_send` and `sent` as listmonk has them; `counts` has a number for each status; `messenger` is
    `automatic` or a server's UUID."""

    id: int
    uuid: UUID
    name: str
    subject: str
    status: StateName
    reason: str | None
    priority: Literal["high", "normal", "low"]
    messenger: str
    lists: list[int]
    send_at: Told | None
    created_at: Told
    started_at: Told | None
    queueing_finished_at: Told | None
    ended_at: Told | None
    updated_at: Told
    updated_by: str
    to_send: int
    sent: int
    counts: CampaignCounts


@endpoint(
    blueprint, "PUT", "/api/campaigns/<int:number>/status",
    needs="send", body=NewStatus, answer=CampaignAnswer, errors=(404, 409),
)  # fmt: skip
def set_status(number: int, body: NewStatus) -> dict[str, Any]:
    """Start, pause, resume, cancel, schedule a campaign, or take its schedule back.

    `scheduled` needs `send_at`. 409 when the campaign's state does not allow it, or when its texts are
    faulty. Answers with the campaign as it is then.
    """
    if (body.status == "scheduled") != (body.send_at is not None):
        message = "send_at: needed with the status scheduled, and with no other."
        raise Refusal(400, message, fields={"send_at": message})
    change(number, body.status, body.reason or "", body.send_at)
    return shown(number)


def change(number: int, status: str, reason: str, send_at: datetime | None) -> None:
    match status:
        case "running":
            campaign_commands.start(number, by=actor())
        case "paused":
            campaign_commands.pause(number, reason, by=actor())
        case "cancelled":
            campaign_commands.cancel(number, reason, by=actor())
        case "scheduled" if send_at is not None:
            campaign_commands.schedule(number, send_at, by=actor())
        case _:
            campaign_commands.unschedule(number, by=actor())


@endpoint(blueprint, "GET", "/api/campaigns/<int:number>", needs="read", answer=CampaignAnswer, errors=(404,))
def one(number: int) -> dict[str, Any]:
    """One campaign."""
    return shown(number)


def shown(number: int) -> dict[str, Any]:
    """As the projections have it. Raises Refusal 404."""
    with reading() as cursor:
        found = campaign_progress.progress(cursor, number) if number < 2**31 else None
    if found is None:
        raise Refusal(404, f"There is no campaign {number}.")
    return described(found)


@endpoint(
    blueprint, "GET", "/api/campaigns", needs="read", query=CampaignQuery, answer=page_of(CampaignAnswer)
)
def listed(query: CampaignQuery) -> dict[str, Any]:
    """Campaigns, newest first."""
    page, per_page = query.window()
    states = [str(state) for state in sorted(set(query.status))] or None
    with reading() as cursor:
        total = campaign_progress.count(cursor, states)
        found = campaign_progress.campaigns(cursor, states, per_page, offset=(page - 1) * per_page)
    return listing([described(one) for one in found], total, page, per_page)


def described(campaign: Progress) -> dict[str, Any]:
    messenger = campaign.messenger
    return {
        "id": campaign.campaign,
        "uuid": str(campaign_stream(campaign.campaign)),
        "name": campaign.name,
        "subject": campaign.subject,
        "status": campaign.state,
        "reason": campaign.reason,
        "priority": campaign.priority,
        "messenger": "automatic" if messenger is None else str(server_stream(messenger)),
        "lists": campaign.lists,
        "send_at": instant(campaign.send_at),
        "created_at": instant(campaign.created_at),
        "started_at": instant(campaign.started_at),
        "queueing_finished_at": instant(campaign.queueing_finished_at),
        "ended_at": instant(campaign.ended_at),
        "updated_at": instant(campaign.changed_at),
        "updated_by": campaign.changed_by,
        "to_send": campaign.total if campaign.recipients is None else campaign.recipients,
        "sent": campaign.counts["sent"],
        "counts": campaign.counts,
    }
