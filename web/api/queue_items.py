"""How one e-mail of the queue is told, to programs and on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from application.dashboard import state_of
from domain.delivery.delivery import Status
from domain.delivery.waiting import Waiting, why_it_waits
from domain.streams import Kind, campaign_stream, kind_of, number_of, server_stream
from projections import availability, campaign_progress
from projections.availability import Capacity
from projections.campaign_progress import Progress
from projections.queue.items import Item, Wanted, people_like
from projections.queue.queue import STATUSES
from storage.people import directory
from web.http.answers import instant
from web.http.errors import Refusal
from web.http.shapes import Answer, Body, Digits, Line, Query, Told, Whole

StatusName = Literal["queued", "sending", "sent", "failed", "cancelled", "unknown", "suppressed"]
WaitingCode = Literal[
    "next_in_line", "retry", "campaign_paused", "campaign_scheduled", "campaign_draft", "calendar",
    "queue_paused", "no_capacity", "no_server", "disabled", "suspended", "window_closed", "daily_limit",
    "rolling_limit", "processor_failing",
]  # fmt: skip


class ItemFilter(Query):
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

    def wanted(self, cursor: Any) -> Wanted:
        return wanted(cursor, self.campaign_id, self.status, self.smtp_server_uuid, self.subscriber)


class Matching(Body):
    """Which e-mails are meant: those to which everything that is given applies. That all are meant has to
    be said with `all`."""

    campaign_id: Annotated[int, Whole()] | None = None
    status: list[StatusName] = Field(default_factory=list, max_length=20)
    smtp_server_uuid: UUID | None = None
    subscriber: Annotated[str, Line(200, 1)] | None = None
    all: bool = False
    reason: Annotated[str, Line(500)] = "asked for"

    def wanted(self, cursor: Any) -> Wanted:
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
    priority: Literal["high", "normal", "low"]
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


def wanted(
    cursor: Any,
    campaign: int | None,
    statuses: Sequence[StatusName],
    server: UUID | None,
    subscriber: str | None,
) -> Wanted:
    return Wanted(
        campaign=campaign,
        statuses=[STATUSES.index(status) for status in sorted(set(statuses))],
        server=None if server is None else server_of(server),
        recipients=None if subscriber is None else people(cursor, subscriber),
        address=subscriber,
    )


def server_of(uuid: UUID) -> int:
    """The number of a server; -1, which none has, for a UUID that is no server's."""
    try:
        return number_of(uuid) if kind_of(uuid) is Kind.SERVER else -1
    except ValueError:
        return -1


def people(cursor: Any, search: str) -> list[int]:
    """Who is meant: the one with that address, UUID or number, else those whose address has it in it."""
    found = directory.find_recipient(cursor, search)
    return [found.number] if found else people_like(cursor, search)


def described(cursor: Any, found: Sequence[Item], now: datetime) -> list[dict[str, Any]]:
    campaigns = {number: progress_of(cursor, number) for number in {one.campaign for one in found}}
    capacity = availability.capacity(cursor, now) if any(i.status == 0 for i in found) else None
    return [
        described_one(one, campaigns[one.campaign], waiting_for(one, campaigns[one.campaign], capacity))
        for one in found
    ]


def progress_of(cursor: Any, campaign: int) -> Progress:
    found = campaign_progress.progress(cursor, campaign)
    if found is None:
        raise Refusal(404, f"There is no campaign {campaign}.")
    return found


def waiting_for(one: Item, campaign: Progress, capacity: Capacity | None) -> Waiting | None:
    if one.status != 0 or capacity is None:
        return None
    return why_it_waits(
        state_of(campaign),
        now=capacity.now,
        again=one.due,
        opens=capacity.opens,
        gates=[server.gate for server in capacity.servers],
        queue_paused=capacity.queue_paused,
        failing=capacity.failing,
    )


def described_one(one: Item, campaign: Progress, waiting: Waiting | None) -> dict[str, Any]:
    return {
        "id": (one.campaign << 32) | one.recipient,
        "campaignId": one.campaign,
        "campaignName": campaign.name,
        "campaignUuid": str(campaign_stream(one.campaign)),
        "subscriberId": one.person,
        "subscriberEmail": one.email,
        "subscriberUuid": one.uuid,
        "status": STATUSES[one.status],
        "priority": campaign.priority,
        "scheduledAt": instant(one.due),
        "sentAt": instant(one.changed_at) if STATUSES[one.status] == Status.SENT else None,
        "assignedSmtpServerUuid": str(server_stream(one.server)) if one.server else None,
        "attempts": one.attempts,
        "retryCount": max(0, one.attempts - 1),
        "errorMessage": one.error,
        "waitingFor": str(waiting) if waiting else None,
        "waitingCode": waiting.code if waiting else None,
        "waitingUntil": instant(waiting.until) if waiting else None,
        "createdAt": instant(one.queued_at),
        "updatedAt": instant(one.changed_at),
    }
