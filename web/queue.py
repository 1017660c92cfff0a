"""The queue through the API: how many are in which state, which ones, and stepping in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from domain.delivery import Cancelled, Requeued, Status
from domain.fact import Fact
from domain.streams import Kind, campaign_stream, delivery_stream, kind_of, number_of, server_stream
from domain.waiting import Waiting, why_it_waits
from projections import availability, campaign_progress, queue
from projections.availability import Capacity
from projections.campaign_progress import Progress
from projections.queue_items import Item, Wanted, item, items, people_like
from projections.schema import log_head
from storage import directory
from storage.log.append import Conflict
from web.access import actor, needs
from web.answers import instant, listing
from web.errors import Refusal
from web.inputs import choice_arguments, number_argument, page_arguments, text_argument, uuid_argument
from web.readings import state_of
from web.services import reading, services, wait_until_shown

blueprint = Blueprint("queue", __name__)

STATUSES = queue.STATUSES
RETRIED = frozenset({Status.FAILED, Status.CANCELLED, Status.SUPPRESSED, Status.UNKNOWN})
LONGEST_SEARCH = 200


@blueprint.get("/api/queue/stats")
@needs("read")
def stats() -> Response:
    """From counters alone, so that the size of the queue makes no difference."""
    with reading() as cursor:
        counts = queue.counts(cursor)
        next_at = queue.next_scheduled_at(cursor)
    return jsonify(data={**counts, "nextScheduledAt": instant(next_at)})


@blueprint.get("/api/queue/servers")
@needs("read")
def servers() -> Response:
    with reading() as cursor:
        capacity = availability.capacity(cursor, services().clock.now())
    return jsonify(data=[server_row(server) for server in capacity.servers])


def server_row(server: availability.Availability) -> dict[str, Any]:
    return {
        "uuid": str(server.uuid),
        "name": server.name,
        "from_email": server.from_email,
        "daily_limit": server.daily_limit,
        "daily_used": server.daily_used,
        "daily_remaining": server.daily_remaining,
        "enabled": server.enabled,
        "available": server.available,
        "unavailable_reason": str(server.closed) if server.closed else None,
    }


@blueprint.get("/api/queue/items")
@needs("read")
def listed() -> Response:
    page, per_page = page_arguments()
    search = text_argument("subscriber", LONGEST_SEARCH)
    statuses = choice_arguments("status", list(STATUSES))
    campaign = number_argument("campaign_id")
    server = server_argument()
    now = services().clock.now()
    with reading() as cursor:
        wanted = Wanted(
            campaign=campaign,
            statuses=[STATUSES.index(status) for status in statuses],
            server=server,
            recipients=None if search is None else people(cursor, search),
        )
        found, total = items(cursor, wanted, (page - 1) * per_page, per_page)
        results = described(cursor, found, now)
    return jsonify(data=listing(results, total, page, per_page))


def server_argument() -> int | None:
    """The number of a server; -1, which none has, for a UUID that is no server's."""
    uuid = uuid_argument("smtp_server_uuid")
    if uuid is None:
        return None
    return number_of(uuid) if is_server(uuid) else -1


def is_server(uuid: UUID) -> bool:
    try:
        return kind_of(uuid) is Kind.SERVER
    except ValueError:
        return False


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
        again=one.due if one.attempts else None,
        opens=capacity.opens,
        gates=[server.gate for server in capacity.servers],
    )


def described_one(one: Item, campaign: Progress, waiting: Waiting | None) -> dict[str, Any]:
    return {
        "id": (one.campaign << 32) | one.recipient,
        "campaignId": one.campaign,
        "campaignName": campaign.name,
        "campaignUuid": str(campaign_stream(one.campaign)),
        "subscriberId": one.recipient,
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


@blueprint.put("/api/queue/<int:number>/cancel")
@needs("send")
def cancel(number: int) -> Response:
    one, _ = current(number)
    if STATUSES[one.status] != Status.QUEUED:
        raise Refusal(409, f"Only a queued e-mail can be cancelled; this one is {STATUSES[one.status]}.")
    return change(number, Cancelled(**origin(one), by=actor(), reason="asked for"))


@blueprint.put("/api/queue/<int:number>/retry")
@needs("send")
def retry(number: int) -> Response:
    one, campaign = current(number)
    if STATUSES[one.status] not in RETRIED:
        raise Refusal(
            409,
            f"Only a failed, cancelled, suppressed or unknown e-mail can be tried again; this one is "
            f"{STATUSES[one.status]}.",
        )
    if campaign.state == "cancelled":
        raise Refusal(409, "Its campaign is cancelled, so it would not be sent.")
    return change(number, Requeued(**origin(one), by=actor(), reason="asked for"))


def current(number: int) -> tuple[Item, Progress]:
    """The delivery as the whole log has it."""
    with reading() as cursor:
        wait_until_shown(log_head(cursor))
    campaign, recipient = number >> 32, number & 0xFFFFFFFF
    with reading() as cursor:
        one = item(cursor, campaign, recipient) if max(campaign, recipient) < 2**31 else None
        if one is None:
            raise Refusal(404, "There is no such e-mail in the queue.")
        return one, progress_of(cursor, campaign)


def origin(one: Item) -> dict[str, Any]:
    return {
        "originator_id": delivery_stream(one.campaign, one.recipient),
        "originator_version": one.version + 1,
    }


def change(number: int, fact: Fact) -> Response:
    """Appends, and answers with the delivery as it is then."""
    try:
        services().log.append([fact.stored()])
    except Conflict:
        raise Refusal(409, "It changed at this very moment. Look again, then try again.") from None
    one, _ = current(number)
    with reading() as cursor:
        return jsonify(data=described(cursor, [one], services().clock.now())[0])
