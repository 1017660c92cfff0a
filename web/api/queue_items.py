"""One e-mail of the queue, and which are meant, as programs are told and tell."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from application.queue.deliveries import wanted
from application.queue.queue import REASON as ASKED_FOR
from domain.campaign.priority import Priority
from domain.fields import LONGEST_REASON
from domain.server.availability import Reason
from projections.queue.items import WantedItems
from web.http.errors import Refusal
from web.http.shapes import Answer, Body, Line, Told, Whole
from web.shapes.deliveries import StatusName

WaitingCode = Reason


class Matching(Body):
    """Which e-mails are meant: those to which everything that is given applies. That all are meant has to
    be said with `all`."""

    campaign_id: Annotated[int, Whole()] | None = None
    status: list[StatusName] = Field(default_factory=list, max_length=20)
    smtp_server_uuid: UUID | None = None
    subscriber: Annotated[str, Line(200, 1)] | None = None
    all: bool = False
    reason: Annotated[str, Line(LONGEST_REASON)] = ASKED_FOR

    def wanted(self, cursor: Any) -> WantedItems:
        filters = (self.campaign_id, self.status, self.smtp_server_uuid, self.subscriber)
        if self.all == any(filters):
            message = "all: true is needed to mean all, and to be left out with anything else."
            raise Refusal(400, message, fields={"all": message})
        return wanted(cursor, *filters)


class QueueItem(Answer):
    model_config = ConfigDict(alias_generator=to_camel)

    id: int
    campaign_id: int
    campaign_name: str
    campaign_uuid: UUID
    subscriber_id: int | None
    subscriber_email: str | None
    subscriber_uuid: UUID | None
    status: StatusName
    priority: Priority
    scheduled_at: Told
    sent_at: Told | None
    assigned_smtp_server_uuid: UUID | None
    attempts: int
    retry_count: int
    error_message: str | None
    waiting_for: str | None
    waiting_code: WaitingCode | None
    waiting_until: Told | None
    created_at: Told
    updated_at: Told
