"""Unsubscribing by links in listmonk's form, which have the UUIDs of a campaign and a subscriber.

Our messages have links with a token instead, which nobody else knows. UUIDs are seen by whoever may read, so
these links open nothing but what somebody may have received: they lead from a message that was sent before
tokens were asked for, off the lists of its campaign.
"""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request

from application.people.people import People
from domain.addresses.network import network_of
from domain.delivery.delivery import Status
from domain.errors import Missing
from domain.streams import Kind, campaign_of, kind_of
from projections.queue.items import item
from storage import links_by_uuid
from storage.accounts.rate_limits import Rate
from storage.people import directory
from web.http.access import needs
from web.http.errors import Refusal
from web.http.identity import check_rate
from web.http.services import reading, services
from web.pages.people.unsubscribe import RECIPIENT, shown

blueprint = Blueprint("subscription", __name__)

NOT_OURS = "This link is incomplete or no longer valid. Use the link in our latest e-mail to you."

PER_NETWORK = Rate(burst=10, per_second=1 / 60)


@blueprint.get("/subscription/<campaign>/<subscriber>")
@needs("public")
def ask(campaign: str, subscriber: str) -> Response:
    """Changes nothing, since scanners follow links."""
    known(campaign, subscriber)
    return shown(done=False)


@blueprint.post("/subscription/<campaign>/<subscriber>")
@needs("public")
def unsubscribe(campaign: str, subscriber: str) -> Response:
    """Takes RFC 8058's one-click body, listmonk's form, and none at all. Doing it again answers the same."""
    number, recipient, lists = known(campaign, subscriber)
    People(services()).unsubscribe([recipient], lists, campaign=number, by=RECIPIENT)
    return shown(done=True)


def known(campaign: str, subscriber: str) -> tuple[int, int, list[int]]:
    """(campaign, recipient, lists to leave). Raises Refusal: 404 where no message with this link was sent,
    429 for those who ask for many."""
    now = services().clock.now()
    with services().pool.transaction() as cursor:
        check_rate(cursor, f"links by UUID from {network_of(request.remote_addr)}", PER_NETWORK, now)
    try:
        number, person_uuid = campaign_number(UUID(campaign)), UUID(subscriber)
        lists = services().application.campaign(number).lists
    except (ValueError, Missing):
        raise Refusal(404, NOT_OURS) from None
    with reading() as cursor:
        person = directory.find_recipient(cursor, str(person_uuid))
        sent = None if person is None else item(cursor, number, person.number)
        if person is None or sent is None or not Status.of(sent.status).has_gone_out:
            raise Refusal(404, NOT_OURS)
        if not links_by_uuid.are_good(cursor, sent.changed_at, now):
            raise Refusal(404, NOT_OURS)
    return number, person.number, lists


def campaign_number(uuid: UUID) -> int:
    """Raises ValueError."""
    if kind_of(uuid) is not Kind.CAMPAIGN:
        raise ValueError(f"{uuid} is no campaign")
    return campaign_of(uuid)
