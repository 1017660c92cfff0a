"""Campaigns through the API: what there is, and their lifecycle."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify

from domain.campaign import State
from domain.streams import campaign_stream, server_stream
from projections import campaign_progress
from projections.campaign_progress import Progress
from web.access import actor, needs
from web.answers import instant, listing
from web.errors import Refusal
from web.inputs import choice_arguments, instant_field, json_object, page_arguments, text_field
from web.services import reading, services, wait_until_shown

blueprint = Blueprint("campaigns", __name__)

STATES = ("running", "paused", "cancelled", "scheduled", "draft")
LONGEST_REASON = 500


@blueprint.put("/api/campaigns/<int:number>/status")
@needs("send")
def set_status(number: int) -> Response:
    """`{"status": "running"|"paused"|"cancelled"|"scheduled"|"draft", "reason": …, "send_at": …}`.
    409 when the campaign's state does not allow it. Answers with the campaign as it is then."""
    body = json_object()
    status = text_field(body, "status", 20)
    if status not in STATES:
        raise Refusal(400, f"status: one of {', '.join(STATES)} is expected.")
    reason = text_field(body, "reason", LONGEST_REASON) or ""
    send_at = instant_field(body, "send_at")
    if (status == "scheduled") != (send_at is not None):
        raise Refusal(400, "send_at: needed with the status scheduled, and with no other.")
    if status == "running":
        check_texts(number)
    wait_until_shown(change(number, status, reason, send_at))
    return one(number)


def check_texts(number: int) -> None:
    """What would fail for every recipient is refused before the first."""
    state = services().application.campaign(number).state
    preflight = services().preflight
    if preflight is not None and state in (State.DRAFT, State.SCHEDULED):
        problems = preflight(number)
        if problems:
            raise Refusal(409, "The campaign cannot be started: " + "; ".join(problems))


def change(number: int, status: str, reason: str, send_at: datetime | None) -> int | None:
    """The position of what was appended."""
    application = services().application
    match status:
        case "running":
            return application.start(number, by=actor())
        case "paused":
            return application.pause(number, reason=reason, by=actor())
        case "cancelled":
            return application.cancel(number, reason=reason, by=actor())
        case "scheduled" if send_at is not None:
            return application.schedule(number, send_at, by=actor())
        case _:
            return application.unschedule(number, by=actor())


@blueprint.get("/api/campaigns/<int:number>")
@needs("read")
def one(number: int) -> Response:
    with reading() as cursor:
        found = campaign_progress.progress(cursor, number) if number < 2**31 else None
    if found is None:
        raise Refusal(404, f"There is no campaign {number}.")
    return jsonify(data=described(found))


@blueprint.get("/api/campaigns")
@needs("read")
def listed() -> Response:
    """Newest first."""
    page, per_page = page_arguments()
    states = choice_arguments("status", list(State)) or None
    with reading() as cursor:
        total = campaign_progress.count(cursor, states)
        found = campaign_progress.campaigns(cursor, states, per_page, offset=(page - 1) * per_page)
    return jsonify(data=listing([described(one) for one in found], total, page, per_page))


def described(campaign: Progress) -> dict[str, Any]:
    """`to_send` and `sent` as listmonk has them; `counts` has a number for each status."""
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
