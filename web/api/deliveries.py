"""Deliveries through the API: all of them in a fixed order, and the story of each."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

from flask import Blueprint
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from application.queue.deliveries import Deliveries
from domain.server.availability import Reason
from domain.streams import LARGEST_NUMBER
from web.api.cloud_events import CloudEvent, cloud_event, source
from web.api.queue_items import QueueItem
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.services import reading, services
from web.http.shapes import Answer, Digits, Told
from web.shapes.deliveries import DeliveryFilter

blueprint = Blueprint("deliveries", __name__)

MOST_EVENTS = 1000


class DeliveryQuery(DeliveryFilter):
    limit: Annotated[int, Digits(1, 500)] = 100
    cursor: Annotated[
        str,
        Field(max_length=40, pattern="^[A-Za-z0-9_-]*$", description="`next` of the answer before."),
    ] | None = None  # fmt: skip


class DeliveryList(Answer):
    """`next` is the cursor of what follows, null at the end."""

    items: list[QueueItem]
    next: str | None


class WaitAnswer(Answer):
    """`onAndOff` when it ended for moments in between."""

    model_config = ConfigDict(alias_generator=to_camel)

    since: Told
    until: Told
    code: Reason
    reason: str
    on_and_off: bool


class DeliveryAnswer(QueueItem):
    """`events` are all that happened to it, in order; that it was queued is in its campaign's audience.
    `waits` is what it waited for in between, from the log; with `waitsKnownUntil`, only until then, and
    `waitsNotTold` says so in words."""

    events: list[CloudEvent]
    waits: list[WaitAnswer]
    waits_known_until: Told | None
    waits_not_told: str | None


@endpoint(blueprint, "GET", "/api/deliveries", needs="read", query=DeliveryQuery, answer=DeliveryList)
def listed(query: DeliveryQuery) -> dict[str, Any]:
    """Every delivery once, by campaign and recipient

    The order never changes, so that whoever follows the cursor sees each delivery once, whatever is sent
    meanwhile.
    """
    with reading() as cursor:
        wanted = query.wanted(cursor)
    found = Deliveries(services()).after(wanted, read_cursor(query.cursor), query.limit + 1)
    page = found[: query.limit]
    last = page[-1].item if len(found) > query.limit else None
    items = [one.fields() for one in page]
    return {"items": items, "next": None if last is None else write_cursor(last.campaign, last.recipient)}


@endpoint(
    blueprint, "GET", "/api/deliveries/<int:number>", needs="read", answer=DeliveryAnswer, errors=(404,)
)  # fmt: skip
def one(number: int) -> dict[str, Any]:
    """The story of one delivery: how it stands, and every event that made it so"""
    deliveries = Deliveries(services())
    found = deliveries.one(number)
    events = deliveries.history(found, MOST_EVENTS)
    waited = deliveries.waits(found, events)
    return {
        **found.fields(),
        "events": [cloud_event(event, source()) for event in events],
        **waited.fields(),
    }


def write_cursor(campaign: int, recipient: int) -> str:
    return urlsafe_b64encode(f"{campaign}.{recipient}".encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 0
    try:
        campaign, recipient = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(".")
        place = int(campaign), int(recipient)
    except ValueError:
        place = -1, -1
    if not all(0 <= number <= LARGEST_NUMBER for number in place):
        message = "cursor: this is none that an answer gave."
        raise Refusal(400, message, fields={"cursor": message}, part="query")
    return place
