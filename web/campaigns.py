"""Campaigns through the API: what there is, and their lifecycle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify

from domain.streams import campaign_stream
from web.errors import Refusal
from web.inputs import instant_field, json_object, page_arguments, text_field
from web.services import ACTOR, services

blueprint = Blueprint("campaigns", __name__)

STATES = ("running", "paused", "cancelled", "scheduled", "draft")
LONGEST_REASON = 500


@blueprint.put("/api/campaigns/<int:number>/status")
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
    change(number, status, reason, send_at)
    services().runner.catch_up()
    return one(number)


def change(number: int, status: str, reason: str, send_at: datetime | None) -> None:
    application = services().application
    match status:
        case "running":
            if application.campaign(number).state == "paused":
                application.resume(number, by=ACTOR)
            else:
                application.start(number, by=ACTOR)
        case "paused":
            application.pause(number, reason=reason, by=ACTOR)
        case "cancelled":
            application.cancel(number, reason=reason, by=ACTOR)
        case "scheduled" if send_at is not None:
            application.schedule(number, send_at=send_at, by=ACTOR)
        case _:
            application.unschedule(number, by=ACTOR)
