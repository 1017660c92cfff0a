"""The queue through the API: how many are in which state, which ones, and stepping in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from application.queue.deliveries import Deliveries
from application.queue.queue import Queue
from domain.clock import instant
from domain.delivery.stepping_in import Action
from domain.streams import policy_stream
from projections import availability
from projections.availability import Availability
from projections.queue import queue
from web.api.queue_items import Matching, QueueItem
from web.http.access import actor
from web.http.contract import endpoint
from web.http.if_match import OfStream
from web.http.services import reading, services
from web.http.shapes import Answer, Body, Paged, Told, page_of
from web.http.versions import Versioned
from web.shapes.deliveries import DeliveryFilter, StatusCounts

blueprint = Blueprint("queue", __name__)


class Stats(StatusCounts):
    model_config = ConfigDict(alias_generator=to_camel)

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


class ItemQuery(DeliveryFilter, Paged):
    pass


@endpoint(blueprint, "GET", "/api/queue/stats", needs="read", answer=Stats, projected=True)
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
        wanted = query.wanted(cursor)
    found, total = Deliveries(services()).page(wanted, (page - 1) * per_page, per_page)
    return listing([one.fields() for one in found], total, page, per_page)


def listing(results: list[dict[str, Any]], total: int, page: int, per_page: int) -> dict[str, Any]:
    """A page of a list, as listmonk has it: all figures are 0 when there is nothing."""
    return {
        "results": results,
        "search": request.args.get("subscriber", "").strip(),
        "query": "",
        "total": total,
        "per_page": per_page if total else 0,
        "page": page if total else 0,
    }


@endpoint(
    blueprint, "PUT", "/api/queue/<int:number>/cancel", needs="send", answer=QueueItem, errors=(404, 409)
)
def cancel(number: int) -> dict[str, Any]:
    """Cancel an e-mail that waits."""
    return Queue(services()).step_in("cancel", number, by=actor()).fields()


@endpoint(
    blueprint, "PUT", "/api/queue/<int:number>/retry", needs="send", answer=QueueItem, errors=(404, 409)
)
def retry(number: int) -> dict[str, Any]:
    """Put a failed, cancelled, suppressed or unknown e-mail back into the queue.

    One that is unknown may then arrive twice, and one that is suppressed is suppressed again unless the
    person may be mailed by now.
    """
    return Queue(services()).step_in("retry", number, by=actor()).fields()


@endpoint(
    blueprint, "PUT", "/api/queue/<int:number>/send-now", needs="send", answer=QueueItem, errors=(404, 409)
)
def send_now(number: int) -> dict[str, Any]:
    """Retry a deferred e-mail now

    409 when it waits for something else: its campaign, the sending calendar, a server.
    """
    return Queue(services()).step_in("send_now", number, by=actor()).fields()


class Done(Answer):
    """`changed` e-mails were stepped into; `left` match still, for another request."""

    changed: int
    left: int


@endpoint(blueprint, "POST", "/api/queue/cancel", needs="send", body=Matching, answer=Done)
def cancel_all(body: Matching) -> dict[str, int]:
    """Cancel all e-mails that wait and match

    At most 5,000 by one request; ask again while some are `left`.
    """
    return step_into("cancel", body)


@endpoint(blueprint, "POST", "/api/queue/retry", needs="send", body=Matching, answer=Done)
def retry_all(body: Matching) -> dict[str, int]:
    """Put all failed, cancelled, suppressed and unknown e-mails that match back into the queue

    Give a `status` to mean some of these. Nothing of a cancelled campaign is put back. At most 5,000 by
    one request; ask again while some are `left`.
    """
    return step_into("retry", body)


@endpoint(blueprint, "POST", "/api/queue/send-all", needs="send", body=Matching, answer=Done, errors=(409,))
def send_all(body: Matching) -> dict[str, int]:
    """Retry now all deferred e-mails that match

    Limits, calendar and pauses hold as ever. Refused while the whole queue is paused, since nothing would
    be sent. At most 5,000 by one request; ask again while some are `left`.
    """
    Queue(services()).check_open()
    return step_into("send_now", body)


def step_into(action: Action, body: Matching) -> dict[str, int]:
    with reading() as cursor:
        wanted = body.wanted(cursor)
    done = Queue(services()).step_into_all(action, wanted, by=actor(), reason=body.reason)
    return {"changed": done.changed, "left": done.left}


class Pause(Body):
    paused: bool


class QueueState(Answer):
    paused: bool


@endpoint(
    blueprint,
    "PUT",
    "/api/queue/pause",
    needs="send",
    body=Pause,
    answer=QueueState,
    errors=(409,),
    versioned=True,
    if_match=OfStream(policy_stream),
)
def pause(body: Pause) -> Versioned:
    """Pause or resume the whole queue

    Nothing is begun in any campaign while it is paused. The same as `queue_paused` in the sending policy,
    whose version the ETag tells.
    """
    queue_commands = Queue(services())
    if body.paused:
        queue_commands.pause(by=actor())
    else:
        queue_commands.resume(by=actor())
    policy = services().application.policy()
    return Versioned({"paused": policy.queue_paused}, policy.version)
