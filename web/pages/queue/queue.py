"""The queue for people: what waits and why, and stepping in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from application.queue.deliveries import Deliveries, DescribedDelivery, progress_of
from application.queue.queue import MOST_AT_ONCE, Queue
from domain.delivery.delivery import Status
from domain.delivery.stepping_in import Action
from domain.errors import Missing, Refused
from domain.streams import server_stream
from projections import availability, campaign_progress
from projections.queue import queue
from projections.queue.items import WantedItems
from projections.servers import servers as all_servers
from web.http.access import actor, needs
from web.http.contract import read_query
from web.http.services import reading, services
from web.http.shapes import Paged
from web.pages.dashboard.chart import Segment, stacked
from web.pages.forms import back_to, link_with
from web.pages.notices import say
from web.pages.words import LABELS
from web.shapes.deliveries import DeliveryFilter

blueprint = Blueprint("queue_pages", __name__)

PER_PAGE = 25
MOST_CAMPAIGNS = 200
TONES = {"sending": "note", "sent": "good", "failed": "bad", "unknown": "warn", "suppressed": "note"}
ACTIONS: dict[str, Action] = {"cancel": "cancel", "retry": "retry", "send-now": "send_now"}
"""By their names in addresses."""

TITLES = {"cancel": "Cancel", "retry": "Retry", "send_now": "Send now"}
SAID_OF_ONE = {
    "cancel": "E-mail cancelled. You can put it back with Retry.",
    "retry": "E-mail requeued.",
    "send_now": "The e-mail is sent as soon as a server has capacity.",
}
SAID_OF_ALL = {"cancel": "cancelled", "retry": "put back in the queue", "send_now": "to be sent now"}
OFFERED = {
    "cancel": "Cancel queued",
    "retry": "Retry unsent",
    "send_now": "Retry deferred now",
}


class QueueQuery(DeliveryFilter, Paged):
    pass


@dataclass(frozen=True, kw_only=True)
class DeliveryRow:
    delivery: DescribedDelivery
    label: str
    tone: str
    server: str
    actions: Sequence[tuple[str, str]]


@blueprint.get("/queue")
@needs("read")
def listed() -> str:
    query = read_query(QueueQuery)
    assert isinstance(query, QueueQuery)
    with reading() as cursor:
        wanted = query.wanted(cursor)
        names = {one.server: one.name for one in all_servers(cursor)}
        counts = counts_of(cursor, query)
        paused = availability.policy_of(cursor).queue_paused
        campaigns = choices(cursor, query.campaign_id)
    found, total = Deliveries(services()).page(wanted, (query.page - 1) * PER_PAGE, PER_PAGE)
    return render_template(
        "queue/queue.html",
        query=query,
        rows=rows(found, names),
        total=total,
        pages=-(-total // PER_PAGE),
        tabs=tabs(query, counts),
        segments=segments(counts),
        spoken=spoken(counts),
        queue_paused=paused,
        campaigns=campaigns,
        servers=[(str(server_stream(number)), name) for number, name in names.items()],
        offers=offers(wanted) if total else [],
        is_filtered=bool(query.campaign_id or query.status or query.smtp_server_uuid or query.subscriber),
        link=link_with,
        here=request.full_path.rstrip("?"),
    )


def rows(found: Sequence[DescribedDelivery], names: Mapping[int, str]) -> list[DeliveryRow]:
    return [
        DeliveryRow(
            delivery=one,
            label=LABELS[one.status],
            tone=TONES.get(one.status, ""),
            server=names.get(one.item.server, f"server {one.item.server}") if one.item.server else "",
            actions=possible(one),
        )
        for one in found
    ]


def possible(one: DescribedDelivery) -> list[tuple[str, str]]:
    """(part of the address, title) of what can be done with an e-mail."""
    commands = Queue(services())
    return [(name, TITLES[action]) for name, action in ACTIONS.items() if not commands.hindrance(action, one)]


def counts_of(cursor: Any, query: QueueQuery) -> dict[str, int]:
    """Of the chosen campaign, else of all; nothing where they would not be those of the list."""
    if query.smtp_server_uuid or query.subscriber:
        return {}
    if query.campaign_id is None:
        return queue.counts(cursor)
    campaign = campaign_progress.progress(cursor, query.campaign_id)
    return campaign.counts if campaign else dict.fromkeys(Status, 0)


@dataclass(frozen=True)
class Tab:
    status: str | None
    title: str
    count: int | None
    current: bool


def tabs(query: QueueQuery, counts: dict[str, int]) -> list[Tab]:
    everything = Tab(None, "All", sum(counts.values()) if counts else None, not query.status)
    return [
        everything,
        *(
            Tab(status, label, counts.get(status) if counts else None, list(query.status) == [status])
            for status, label in LABELS.items()
        ),
    ]


def segments(counts: dict[str, int]) -> list[Segment]:
    return stacked([(status, counts.get(status, 0)) for status in LABELS], sum(counts.values()))


def spoken(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[s]:,} {label.lower()}" for s, label in LABELS.items() if counts.get(s))


def choices(cursor: Any, chosen: int | None) -> list[tuple[int, str]]:
    """The newest campaigns, and the chosen one."""
    found = {
        c.campaign: c.name
        for c in campaign_progress.campaigns(cursor, None, MOST_CAMPAIGNS, transactional=None)
    }
    if chosen is not None and chosen not in found:
        campaign = campaign_progress.progress(cursor, chosen)
        found[chosen] = campaign.name if campaign else f"campaign {chosen}"
    return list(found.items())


def offers(wanted: WantedItems) -> list[tuple[str, str]]:
    """(part of the address, title) of what can be done with all that match."""
    commands = Queue(services())
    return [
        (name, OFFERED[action])
        for name, action in ACTIONS.items()
        if commands.matching(action, wanted) is not None
    ]


@blueprint.post("/queue/<int:number>/<action>")
@needs("send")
def step_in(number: int, action: str) -> Response:
    chosen = chosen_action(action)
    back = back_to("/queue")
    try:
        Queue(services()).step_in(chosen, number, by=actor())
    except Missing:
        raise
    except Refused as refused:
        say(refused.message, "warn")
    else:
        say(SAID_OF_ONE[chosen])
    return redirect(back, 303)


@blueprint.get("/queue/all/<action>")
@needs("send")
def ask(action: str) -> str:
    """How many it would be, before anything is done."""
    chosen = chosen_action(action)
    query = read_query(QueueQuery)
    assert isinstance(query, QueueQuery)
    with reading() as cursor:
        wanted = query.wanted(cursor)
        about = filters_said(cursor, query)
    return render_template(
        "queue/queue_all.html",
        action=action,
        title=OFFERED[chosen],
        chosen=chosen,
        count=Queue(services()).how_many(chosen, wanted),
        about=about,
        most=MOST_AT_ONCE,
        link=link_with,
    )


@blueprint.post("/queue/all/<action>")
@needs("send")
def step_in_all(action: str) -> Response:
    chosen = chosen_action(action)
    query = read_query(QueueQuery)
    assert isinstance(query, QueueQuery)
    with reading() as cursor:
        wanted = query.wanted(cursor)
    done = Queue(services()).step_into_all(chosen, wanted, by=actor())
    e_mails = "1 e-mail is" if done.changed == 1 else f"{done.changed:,} e-mails are"
    if done.left:
        say(f"{e_mails} {SAID_OF_ALL[chosen]}; {done.left:,} are left. Continue with the next ones.", "warn")
        return redirect(link_with(request.path), 303)
    say(f"{e_mails} {SAID_OF_ALL[chosen]}.")
    return redirect(link_with("/queue", page=None), 303)


def chosen_action(name: str) -> Action:
    return ACTIONS.get(name) or abort(404)


def filters_said(cursor: Any, query: QueueQuery) -> list[tuple[str, str]]:
    said: list[tuple[str, str]] = []
    if query.campaign_id is not None:
        said.append(("Campaign", progress_of(cursor, query.campaign_id).name))
    if query.status:
        said.append(("State", ", ".join(LABELS[status].lower() for status in query.status)))
    if query.smtp_server_uuid is not None:
        names = {server_stream(one.server): one.name for one in all_servers(cursor)}
        said.append(("Server", names.get(query.smtp_server_uuid, str(query.smtp_server_uuid))))
    if query.subscriber:
        said.append(("Subscriber", query.subscriber))
    return said


@blueprint.post("/queue/pause")
@needs("send")
def pause() -> Response:
    Queue(services()).pause(by=actor())
    say("Queue paused. E-mails on their way are finished; no others are sent.")
    return redirect(back_to("/queue"), 303)


@blueprint.post("/queue/resume")
@needs("send")
def resume() -> Response:
    Queue(services()).resume(by=actor())
    say("Queue resumed.")
    return redirect(back_to("/queue"), 303)
