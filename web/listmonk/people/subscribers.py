"""Subscribers, as listmonk has them, one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from application.people.people import People
from domain.clock import instant
from domain.people.statuses import ERASED, PersonStatus
from domain.streams import LARGEST_NUMBER
from storage.people import directory, finding
from storage.people.directory import Recipient
from storage.people.finding import ORDERS, SubscriptionRow
from web.http.access import actor
from web.http.contract import endpoint
from web.http.heavy_requests import heavy
from web.http.if_match import OfContent
from web.http.services import reading, services
from web.http.shapes import page_of
from web.listmonk.people.subscriber_shapes import (
    NewSubscriber,
    SubscriberAnswer,
    SubscriberChange,
    SubscriberQuery,
    described,
    new_subscription,
)
from web.listmonk.shapes import found_or_404, ids_argument, listing

blueprint = Blueprint("listmonk_subscribers", __name__)


def shown(cursor: Any, number: int) -> dict[str, Any]:
    """Raises Refusal 404."""
    return described(cursor, [person(cursor, number)])[0]


@endpoint(
    blueprint, "GET", "/api/subscribers",
    needs="read", query=SubscriberQuery, answer=page_of(SubscriberAnswer),
)  # fmt: skip
def listed(query: SubscriberQuery) -> dict[str, Any]:
    """Subscribers

    `search` looks into names and addresses. `query` is an expression as listmonk's guide has them, such as
    `subscribers.attribs->>'city' = 'Oslo' AND subscribers.created_at > '2026-01-01'`.
    """
    window, wanted = query.window(), query.wanted()
    order_by, ascending = query.ordered(ORDERS, "id")
    with heavy(), reading() as cursor:
        total = finding.count(cursor, wanted)
        people = finding.found(
            cursor, wanted, order_by=order_by, ascending=ascending, limit=window.limit, offset=window.offset
        )
        results = described(cursor, people)
    return listing(results, total, window, query=query.query or "", search=query.search or "")


@endpoint(
    blueprint, "GET", "/api/subscribers/<int:number>", needs="read", answer=SubscriberAnswer, errors=(404,)
)
def one(number: int) -> dict[str, Any]:
    """One subscriber"""
    with reading() as cursor:
        return shown(cursor, number)


@endpoint(
    blueprint, "POST", "/api/subscribers",
    needs="write", body=NewSubscriber, answer=SubscriberAnswer, errors=(409,), anew=one,
)  # fmt: skip
def create(body: NewSubscriber) -> dict[str, Any]:
    """A new subscriber

    409 when somebody has the address. No e-mail asks for a confirmation.
    """
    number = People(services()).add(
        body.email,
        body.name or name_from(body.email),
        body.attribs,
        status=body.status or PersonStatus.ENABLED,
        onto=body.lists or [],
        subscription=new_subscription(body.preconfirm_subscriptions),
        by=actor(),
    )
    return one(number)


@endpoint(
    blueprint, "PUT", "/api/subscribers/<int:number>",
    needs="write", body=SubscriberChange, answer=SubscriberAnswer, errors=(404, 409),
    if_match=OfContent(shown),
)  # fmt: skip
def change(number: int, body: SubscriberChange) -> dict[str, Any]:
    """Change a subscriber

    `lists` are those they are on afterwards, none when it is left out; who has left one of them stays so.
    Other fields that are left out stay as they are.
    """
    check(number)
    People(services()).change(
        number, body.changes(), onto=body.lists or [], subscription=body.subscription, by=actor()
    )
    return one(number)


@endpoint(
    blueprint, "PATCH", "/api/subscribers/<int:number>",
    needs="write", body=SubscriberChange, answer=SubscriberAnswer, errors=(404, 409),
    if_match=OfContent(shown),
)  # fmt: skip
def change_some(number: int, body: SubscriberChange) -> dict[str, Any]:
    """Change some of a subscriber

    What is left out stays as it is, lists too; attributes are merged with those that are there.
    """
    check(number)
    changes = body.changes()
    with reading() as cursor:
        before = person(cursor, number)
    if "attributes" in changes:
        changes["attributes"] = {**before.attributes, **changes["attributes"]}
    People(services()).change(number, changes, onto=body.lists, subscription=body.subscription, by=actor())
    return one(number)


@endpoint(
    blueprint,
    "PUT",
    "/api/subscribers/<int:number>/blocklist",
    needs="write",
    answer=bool,
    errors=(404,),
    if_match=OfContent(shown),
)
def blocklist(number: int) -> bool:
    """Blocklist a subscriber

    Nobody who is blocklisted is mailed, in running campaigns too. Their subscriptions stay as they are.
    """
    check(number)
    with reading() as cursor:
        person(cursor, number)
    People(services()).set_status([number], PersonStatus.BLOCKLISTED, by=actor())
    return True


@endpoint(
    blueprint,
    "DELETE",
    "/api/subscribers/<int:number>",
    needs="write",
    answer=bool,
    if_match=OfContent(shown),
)
def erase(number: int) -> bool:
    """Erase a subscriber

    Their address, name, attributes and subscriptions, for good. What was sent stays in the figures and the
    log, under the number. Copies stay for a while where PostgreSQL keeps what it no longer needs, and in
    backups (docs/security.md). Also true when there is no such subscriber.
    """
    People(services()).erase([number] if number <= LARGEST_NUMBER else [], by=actor())
    return True


@endpoint(blueprint, "DELETE", "/api/subscribers", needs="write", answer=bool)
def erase_many() -> bool:
    """Erase the subscribers whose `id` is given

    Also true when there is nobody of that number.
    """
    People(services()).erase(ids_argument(needed_of="subscribers"), by=actor())
    return True


@endpoint(blueprint, "GET", "/api/subscribers/<int:number>/export", needs="read", errors=(404,))
def export(number: int) -> Response:
    """All that is known of a subscriber

    A JSON file. Names of private lists are left out; views and clicks are never recorded.
    """
    with reading() as cursor:
        found = person(cursor, number)
        subscriptions = finding.subscriptions(cursor, [number])[number]
    text = json.dumps(exported(found, subscriptions), indent=2, ensure_ascii=False)
    response = Response(text, mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="data.json"'
    return response


def exported(found: Recipient, subscriptions: Sequence[SubscriptionRow]) -> dict[str, Any]:
    return {
        "profile": [
            {
                "id": found.number,
                "uuid": found.uuid,
                "email": found.email,
                "name": found.name,
                "attribs": found.attributes,
                "status": found.status,
                "created_at": instant(found.created_at),
                "updated_at": instant(found.updated_at),
            }
        ],
        "subscriptions": [
            {
                "subscription_status": one.status,
                "name": one.name if one.type == "public" else "Private list",
                "type": one.type,
                "created_at": instant(one.since),
            }
            for one in subscriptions
        ],
        "campaign_views": [],
        "link_clicks": [],
    }


def person(cursor: Any, number: int) -> Recipient:
    """Raises Refusal 404, for who was erased too."""
    found = directory.find_recipient(cursor, str(number)) if number <= LARGEST_NUMBER else None
    if found is not None and found.status == ERASED:
        found = None
    known: Recipient = found_or_404(found, "subscriber", number)
    return known


def check(number: int) -> None:
    if number > LARGEST_NUMBER:
        found_or_404(None, "subscriber", number)


def name_from(email: str) -> str:
    """As listmonk names who gives no name: from the part before the @."""
    return " ".join(word.capitalize() for word in email.split("@")[0].replace(".", " ").split())
