"""The history of one delivery, event by event, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from application.queue.deliveries import Deliveries
from application.queue.waits import WaitHistory
from domain.delivery.delivery import Status
from domain.delivery.interrupted import NotResent, why_not_resent
from domain.delivery.waits import Wait
from domain.policy import SendingPolicy
from domain.streams import audience_stream, campaign_stream
from projections import availability
from projections.queue.items import Item
from projections.servers import servers as all_servers
from web.http.access import needs
from web.http.services import reading, services
from web.pages.log.event_descriptions import EventDescription, Names, describe
from web.pages.log.events import COLUMNS, LoggedEvent, events_of, newest_of_stream
from web.pages.queue.queue import TONES, possible
from web.pages.words import LABELS, lasting

blueprint = Blueprint("delivery_pages", __name__)

MOST_EVENTS = 500
MOST_RESERVATIONS = 20_000
"""A page has to be there at once; the API and the command line read on."""

QUEUED_BY = (
    COLUMNS
    + """
    WHERE stream_id = %(stream)s AND recorded_at = %(at)s AND EXISTS (
        SELECT FROM jsonb_array_elements(convert_from(state, 'UTF8')::jsonb->'ranges') AS part
        WHERE %(recipient)s BETWEEN (part->>0)::integer AND (part->>1)::integer)
    ORDER BY version LIMIT 1
"""
)

OF_CAMPAIGN = (
    COLUMNS
    + """
    WHERE stream_id = %(stream)s AND recorded_at >= %(since)s AND topic IN (
        'campaign.paused', 'campaign.resumed', 'campaign.cancelled')
    ORDER BY version LIMIT 50
"""
)


# Whether it is sent again is decided when its outcome becomes unknown: a setting that allows it by now came
# too late.
UNKNOWN = {
    NotResent.OFF: "It may have arrived, so nothing happens automatically. A retry may deliver it twice.",
    NotResent.CANCELLED: "Its campaign is cancelled, so it is not sent again. It may have arrived.",
    NotResent.GIVEN_UP: "Its outcome was unknown as often as the settings allow, so nothing happens "
    "automatically. A retry may deliver it twice.",
    None: "The settings did not allow resending when its outcome became unknown, so nothing happens "
    "automatically. A retry may deliver it twice.",
}


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """`aside`: it happened to the whole campaign."""

    event: LoggedEvent
    description: EventDescription
    aside: bool = False
    attempt: int = 0


@dataclass(frozen=True, kw_only=True)
class WaitEntry:
    """Beside what happened: what it waited for until then."""

    wait: Wait
    lasting: str


@blueprint.get("/deliveries/<int:number>")
@needs("read")
def moved(number: int) -> Response:
    return redirect(f"/queue/{number}", 301)


@blueprint.get("/queue/<int:number>")
@needs("read")
def history(number: int) -> str:
    found = Deliveries(services()).one(number)
    one, status = found.item, found.status
    with reading() as cursor:
        names = {server.server: server.name for server in all_servers(cursor)}
        own = newest_of_stream(cursor, found.stream, MOST_EVENTS)
        entries = history_of(own, around(cursor, one), names)
        policy = availability.policy_of(cursor)
    deliveries = Deliveries(services())
    waited = deliveries.waits(found, deliveries.history(found, MOST_EVENTS), MOST_RESERVATIONS)
    return render_template(
        "queue/delivery.html",
        number=number,
        item=one,
        campaign=found.campaign,
        status=status,
        label=LABELS[status],
        tone=TONES.get(status, ""),
        server=(one.server, names.get(one.server, f"server {one.server}")) if one.server else None,
        entries=with_waits(entries, waited),
        waited=waited,
        stream=found.stream,
        waiting=found.waiting,
        what_comes_next=what_comes_next(
            status, one, policy, is_cancelled=found.campaign.state.cancels_queued
        ),
        actions=possible(found),
        retry_attempts=policy.retry_attempts,
    )


def around(cursor: Any, one: Item) -> list[LoggedEvent]:
    """How it came into the queue, and what happened to its campaign since."""
    about = {"at": one.queued_at, "since": one.queued_at, "recipient": one.recipient}
    cursor.execute(QUEUED_BY, {**about, "stream": str(audience_stream(one.campaign))})
    found = events_of(cursor.fetchall())
    cursor.execute(OF_CAMPAIGN, {**about, "stream": str(campaign_stream(one.campaign))})
    return found + events_of(cursor.fetchall())


def history_of(own: list[LoggedEvent], others: list[LoggedEvent], names: Names) -> list[HistoryEntry]:
    """In the order in which it happened."""
    entries, attempt = [], 0
    streams: set[UUID] = {event.stream for event in own}
    for event in sorted([*own, *others], key=lambda event: event.position):
        is_own = event.stream in streams
        if event.topic == "delivery.attempt_started":
            attempt += 1
        said = describe(event.topic, event.state, names)
        if event.topic == "audience.recipients_queued":
            said = EventDescription("Queued")
        entries.append(
            HistoryEntry(
                event=event,
                description=said,
                aside=not is_own and event.topic.startswith("campaign."),
                attempt=attempt if event.topic == "delivery.attempt_started" else 0,
            )
        )
    return entries


def with_waits(entries: Sequence[HistoryEntry], waited: WaitHistory) -> list[HistoryEntry | WaitEntry]:
    """Each before what ended it."""
    told: list[HistoryEntry | WaitEntry] = list(entries)
    for wait in waited.waits:
        place = next(
            (
                place
                for place, entry in enumerate(told)
                if isinstance(entry, HistoryEntry) and entry.event.recorded_at >= wait.until
            ),
            len(told),
        )
        told.insert(place, WaitEntry(wait=wait, lasting=lasting(wait.lasted.total_seconds())))
    return told


def what_comes_next(status: Status, one: Item, policy: SendingPolicy, *, is_cancelled: bool) -> str:
    """What to expect, in a sentence."""
    match status:
        case Status.QUEUED:
            left = policy.retry_attempts - one.attempts
            if not one.attempts:
                return ""
            return f"{left} more attempts before it fails." if left > 1 else "One attempt is left."
        case Status.SENDING:
            return "It is being sent right now; the server has not replied yet."
        case Status.SENT:
            return "Done: the server accepted it and takes care of the delivery."
        case Status.FAILED:
            return "Done, unless you retry it."
        case Status.UNKNOWN:
            return UNKNOWN[why_not_resent(one.interruptions, policy, is_cancelled=is_cancelled)]
        case Status.SUPPRESSED:
            return "Done, unless the subscriber can be mailed again and you retry it."
        case Status.CANCELLED:
            return "Done: it is not sent."
