"""The queue through the API: how many are in which state, which ones, and stepping in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from projections import availability, queue
from projections.availability import Availability
from projections.queue_items import items
from web.access import actor
from web.answers import instant, listing
from web.contract import endpoint
from web.queue_commands import cancel_one, retry_one
from web.queue_items import ItemFilter, QueueItem, described
from web.services import reading, services
from web.shapes import Answer, Paged, Told, page_of

blueprint = Blueprint("queue", __name__)


class Stats(Answer):
    model_config = ConfigDict(alias_generator=to_camel)

    queued: int
    sending: int
    sent: int
    failed: int
    cancelled: int
    unknown: int
    suppressed: int
    next_scheduled_at: Told | None


class QueueServer(Answer):
    uuid: str
    name: str
    from_email: str
    daily_limit: int
    daily_used: int
    daily_remaining: int | None
    enabled: bool
    available: bool
    unavailable_reason: str | None


class ItemQuery(ItemFilter, Paged):
    pass


@endpoint(blueprint, "GET", "/api/queue/stats", needs="read", answer=Stats)
def stats() -> dict[str, Any]:
    """How many e-mails are in which state.

    From counters alone, so that the size of the queue makes no difference.
    """
    with reading() as cursor:
        counts = queue.counts(cursor)
        next_at = queue.next_scheduled_at(cursor)
    return {**counts, "nextScheduledAt": instant(next_at)}


@endpoint(blueprint, "GET", "/api/queue/servers", needs="read", answer=list[QueueServer])
def servers() -> list[dict[str, Any]]:
    """What each server may still send today."""
    with reading() as cursor:
        capacity = availability.capacity(cursor, services().clock.now())
    return [server_row(server) for server in capacity.servers]


def server_row(server: Availability) -> dict[str, Any]:
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


@endpoint(blueprint, "GET", "/api/queue/items", needs="read", query=ItemQuery, answer=page_of(QueueItem))
def listed(query: ItemQuery) -> dict[str, Any]:
    """Single e-mails, with filters.

    Newest campaign first; within a campaign sending, waiting (in the order of their turn), unknown,
    failed, sent, suppressed, cancelled.
    """
    page, per_page = query.window()
    with reading() as cursor:
        found, total = items(cursor, query.wanted(cursor), (page - 1) * per_page, per_page)
        results = described(cursor, found, services().clock.now())
    return listing(results, total, page, per_page)


@endpoint(
    blueprint, "PUT", "/api/queue/<int:number>/cancel", needs="send", answer=QueueItem, errors=(404, 409)
)
def cancel(number: int) -> dict[str, Any]:
    """Cancel an e-mail that waits."""
    return cancel_one(number, by=actor())


@endpoint(
    blueprint, "PUT", "/api/queue/<int:number>/retry", needs="send", answer=QueueItem, errors=(404, 409)
)
def retry(number: int) -> dict[str, Any]:
    """Put a failed, cancelled, suppressed or unknown e-mail back into the queue.

    One that is unknown may then arrive twice, and one that is suppressed is suppressed again unless the
    person may be mailed by now.
    """
    return retry_one(number, by=actor())
