"""The life of campaigns through the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NoReturn

from flask import Blueprint

from application.campaigns.campaigns import Campaigns
from domain.campaign.state import State
from domain.fields import LONGEST_REASON
from domain.streams import campaign_stream
from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.if_match import OfStream
from web.http.services import services
from web.http.shapes import Body, Instant, Line
from web.http.versions import Versioned
from web.shapes.campaigns import CampaignAnswer, versioned

blueprint = Blueprint("campaigns", __name__)


class NewStatus(Body):
    status: Literal[State.RUNNING, State.PAUSED, State.CANCELLED, State.SCHEDULED, State.DRAFT]
    reason: Annotated[str, Line(LONGEST_REASON)] | None = None
    send_at: Instant | None = None


@endpoint(
    blueprint, "PUT", "/api/campaigns/<int:number>/status",
    needs="send", body=NewStatus, answer=CampaignAnswer, errors=(404, 409), versioned=True,
    if_match=OfStream(campaign_stream),
)  # fmt: skip
def set_status(number: int, body: NewStatus) -> Versioned:
    """Start, pause, resume, cancel, schedule a campaign, or take its schedule back.

    `reason` is kept with a pause, a resumption and a cancellation. `scheduled` needs `send_at`, here or in
    the campaign. 409 when the campaign's state does not allow it, when its texts are faulty, or when nobody
    on its lists can be mailed. Answers with the campaign as it is then.
    """
    send_at = body.send_at
    if body.status is State.SCHEDULED:
        send_at = send_at or planned_for(number)
    elif send_at is not None:
        refuse_send_at("taken with the status scheduled, and with no other.")
    change(number, body.status, body.reason or "", send_at)
    return versioned(number)


def planned_for(number: int) -> datetime:
    planned = services().application.campaign(number).planned_for
    return datetime.fromisoformat(planned or refuse_send_at("needed with the status scheduled."))


def refuse_send_at(reason: str) -> NoReturn:
    raise Refusal(400, f"send_at: {reason}", fields={"send_at": f"send_at: {reason}"})


def change(number: int, status: State, reason: str, send_at: datetime | None) -> None:
    campaigns = Campaigns(services())
    match status:
        case State.RUNNING:
            campaigns.start(number, reason, by=actor())
        case State.PAUSED:
            campaigns.pause(number, reason, by=actor())
        case State.CANCELLED:
            campaigns.cancel(number, reason, by=actor())
        case State.SCHEDULED if send_at is not None:
            campaigns.schedule(number, send_at, by=actor())
        case _:
            campaigns.unschedule(number, by=actor())
