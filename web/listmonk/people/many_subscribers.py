"""Commands on many subscribers, chosen by their numbers or by a query, as listmonk has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import Blueprint

from application.people.people import People
from domain.people.statuses import PersonStatus, SubscriptionStatus
from domain.streams import LARGEST_NUMBER
from storage.people import finding
from storage.people.finding import WantedPeople
from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.heavy_requests import heavy
from web.http.if_match import OfContent
from web.http.services import reading, services
from web.listmonk.people.subscriber_shapes import (
    Chosen,
    Membership,
    MembershipOfMany,
    MembershipOfOne,
    MembershipOfSelection,
    Selection,
)
from web.listmonk.people.subscribers import shown

blueprint = Blueprint("listmonk_many_subscribers", __name__)

AT_ONCE = 10_000


@endpoint(
    blueprint,
    "PUT",
    "/api/subscribers/lists",
    needs="write",
    body=MembershipOfMany,
    answer=bool,
    errors=(404,),
)
def lists_of_many(body: MembershipOfMany) -> bool:
    """Put subscribers on lists, or take them off

    `add` sets the status of their subscriptions, also for who had left. Without a status those who were on a
    list before, or left it, stay as they are; others are unconfirmed. `unsubscribe` keeps them on the lists
    as having left; `remove` forgets that they were there.
    """
    move(body.ids, body, again=bool(body.status))
    return True


@endpoint(
    blueprint, "PUT", "/api/subscribers/lists/<int:number>",
    needs="write", body=MembershipOfOne, answer=bool, errors=(404,), if_match=OfContent(shown),
)  # fmt: skip
def lists_of_one(number: int, body: MembershipOfOne) -> bool:
    """Put one subscriber on lists, or take them off"""
    move([number] if number <= LARGEST_NUMBER else [], body, again=bool(body.status))
    return True


@endpoint(
    blueprint, "PUT", "/api/subscribers/query/lists", needs="write", body=MembershipOfSelection, answer=bool
)
def lists_of_selection(body: MembershipOfSelection) -> bool:
    """Put all whom a query finds on lists, or take them off

    Nobody is brought back who has left.
    """
    for numbers in chosen(body.wanted()):
        move(numbers, body, again=False)
    return True


@endpoint(blueprint, "PUT", "/api/subscribers/blocklist", needs="write", body=Chosen, answer=bool)
def blocklist(body: Chosen) -> bool:
    """Blocklist several subscribers"""
    People(services()).set_status(body.ids, PersonStatus.BLOCKLISTED, by=actor())
    return True


@endpoint(blueprint, "PUT", "/api/subscribers/query/blocklist", needs="write", body=Selection, answer=bool)
def blocklist_selection(body: Selection) -> bool:
    """Blocklist all whom a query finds"""
    check(body)
    for numbers in chosen(body.wanted()):
        People(services()).set_status(numbers, PersonStatus.BLOCKLISTED, by=actor())
    return True


@endpoint(blueprint, "POST", "/api/subscribers/query/delete", needs="write", body=Selection, answer=bool)
def erase_selection(body: Selection) -> bool:
    """Erase all whom a query finds

    For good. `all` means everybody, or everybody on `list_ids`.
    """
    check(body)
    for numbers in chosen(body.wanted()):
        People(services()).erase(numbers, by=actor())
    return True


def move(numbers: Sequence[int], body: Membership, *, again: bool) -> None:
    """`again` also sets the status of those who were on a list before, or left it."""
    match body.action:
        case "add":
            status = body.status or SubscriptionStatus.UNCONFIRMED
            People(services()).subscribe(numbers, body.target_list_ids, status, again=again, by=actor())
        case "remove":
            People(services()).take_off(numbers, body.target_list_ids, by=actor())
        case "unsubscribe":
            People(services()).unsubscribe(numbers, body.target_list_ids, by=actor())


def chosen(wanted: WantedPeople) -> Iterator[list[int]]:
    """In stretches of ascending numbers: what a command changes cannot bring anybody in twice."""
    after = 0
    with heavy():
        while True:
            with reading() as cursor:
                numbers = finding.numbers(cursor, wanted, after=after, limit=AT_ONCE)
            if not numbers:
                return
            yield numbers
            after = numbers[-1]


def check(selection: Selection) -> None:
    """Nobody erases everybody by leaving something out."""
    if selection.is_empty:
        message = "query: a query, a search or all is needed."
        raise Refusal(400, message, fields={"query": message})
