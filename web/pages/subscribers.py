"""Subscribers for people: finding them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, render_template, request
from pydantic import BeforeValidator

from storage import directory, people_search
from storage.directory import Recipient
from storage.people_search import Wanted
from storage.query_tokens import QueryError
from storage.subscriber_query import Condition, condition
from web.access import needs
from web.contract import read_query
from web.pages.forms import link_with, sentence
from web.services import reading
from web.shapes import Digits, Line, Paged

blueprint = Blueprint("subscriber_pages", __name__)

PER_PAGE = 25
COUNTED = 10_000
STATUSES = ("enabled", "disabled", "blocklisted")
SUBSCRIPTIONS = (("confirmed", "Confirmed"), ("unconfirmed", "Unconfirmed"), ("unsubscribed", "Left"))


def none_if_blank(value: Any) -> Any:
    return None if value == "" else value


class SubscribersQuery(Paged):
    search: Annotated[str, Line(200)] | None = None
    list: Annotated[Annotated[int, Digits()] | None, BeforeValidator(none_if_blank)] = None
    subscription: Annotated[
        Literal["confirmed", "unconfirmed", "unsubscribed"] | None, BeforeValidator(none_if_blank)
    ] = None
    status: Annotated[
        Literal["enabled", "disabled", "blocklisted"] | None, BeforeValidator(none_if_blank)
    ] = None
    query: Annotated[str, Line(1000)] | None = None


@blueprint.get("/subscribers")
@needs("read")
def listed() -> str:
    """Newest first."""
    query = read_query(SubscribersQuery)
    assert isinstance(query, SubscribersQuery)
    fault, more, total = "", False, 0
    found: list[Recipient] = []
    with reading() as cursor:
        try:
            wanted = wanted_by(query)
        except QueryError as error:
            fault = sentence(str(error))
        else:
            found, more = page_of(cursor, wanted, (query.page - 1) * PER_PAGE)
            total = how_many(cursor, wanted, query.page, len(found), more)
        on = people_search.subscriptions(cursor, [person.number for person in found])
        names = directory.list_names(cursor)
    return render_template(
        "people/subscribers.html",
        people=[(person, on[person.number]) for person in found],
        query=query,
        fault=fault,
        more=more,
        total=total,
        counted=COUNTED,
        lists=names,
        statuses=STATUSES,
        subscriptions=SUBSCRIPTIONS,
        is_filtered=any(
            request.args.get(name) for name in ("search", "list", "subscription", "status", "query")
        ),
        link=link_with,
    )


def wanted_by(query: SubscribersQuery) -> Wanted:
    """Raises QueryError."""
    asked = condition(query.query) if query.query else None
    if query.status:
        status = Condition("r.status = %s", (query.status,))
        asked = status if asked is None else both(status, asked)
    return Wanted(
        search=query.search or None,
        query=asked,
        lists=[] if query.list is None else [query.list],
        subscription=query.subscription if query.list is not None else None,
    )


def both(one: Condition, other: Condition) -> Condition:
    return Condition(f"({one.sql}) AND ({other.sql})", one.parameters + other.parameters)


def page_of(cursor: Any, wanted: Wanted, offset: int) -> tuple[list[Recipient], bool]:
    """Whether there are more of them after this page."""
    found = people_search.found(cursor, wanted, limit=PER_PAGE + 1, offset=offset)
    return found[:PER_PAGE], len(found) > PER_PAGE


def how_many(cursor: Any, wanted: Wanted, page: int, shown: int, more: bool) -> int:
    """Up to COUNTED + 1: nobody needs to know more of a search, and counting on takes long."""
    if not more and (shown or page == 1):
        return (page - 1) * PER_PAGE + shown
    return len(people_search.numbers(cursor, wanted, limit=COUNTED + 1))
