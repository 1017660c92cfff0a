"""Which deliveries are meant, as addresses say it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from application.queue.deliveries import wanted
from domain.delivery.delivery import Status
from projections.queue.items import WantedItems
from web.http.shapes import Answer, Digits, Line, Query

StatusName = Status


class StatusCounts(Answer):
    """A number for each state."""

    __annotations__ = {status.value: int for status in Status}


class DeliveryFilter(Query):
    """Which e-mails are meant: those to which everything that is given applies."""

    campaign_id: Annotated[int, Digits(), Field(description="Of this campaign.")] | None = None
    status: Annotated[list[StatusName], Field(description="In one of these states.")] = Field(
        default_factory=list
    )
    smtp_server_uuid: Annotated[UUID, Field(description="Last tried through this server.")] | None = None
    subscriber: Annotated[
        str,
        Line(200),
        Field(description="To this person: address, UUID, number; else a part of addresses, of one or two"
            " characters their beginning."),
    ] | None = None  # fmt: skip

    def wanted(self, cursor: Any) -> WantedItems:
        return wanted(cursor, self.campaign_id, self.status, self.smtp_server_uuid, self.subscriber)
