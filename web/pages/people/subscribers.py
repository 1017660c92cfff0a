"""Subscribers for people: finding them."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, render_template, request
from pydantic import BeforeValidator

from domain.people.statuses import PersonStatus, SubscriptionStatus
from storage.people import directory, finding, paging
from storage.people.finding import WantedPeople
from storage.people.paging import PeoplePage
from storage.subscriber_query.condition import condition
from storage.subscriber_query.tokens import QueryError
from web.http.access import needs
from web.http.contract import read_query
from web.http.heavy_requests import heavy
from web.http.services import reading
from web.http.shapes import Digits, Line, Query
from web.pages.forms import link_with, sentence

blueprint = Blueprint("subscriber_pages", __name__)

PER_PAGE = 25


def none_if_blank(value: Any) -> Any:
    return None if value == "" else value


class SubscribersQuery(Query):
    before: Annotated[int, Digits()] | None = None
    search: Annotated[str, Line(200)] | None = None
    list: Annotated[Annotated[int, Digits()] | None, BeforeValidator(none_if_blank)] = None
    subscription: Annotated[SubscriptionStatus | None, BeforeValidator(none_if_blank)] = None
    status: Annotated[PersonStatus | None, BeforeValidator(none_if_blank)] = None
    query: Annotated[str, Line(1000)] | None = None


@blueprint.get("/subscribers")
@needs("read")
def listed() -> str:
    """Newest first."""
    query = read_query(SubscribersQuery)
    assert isinstance(query, SubscribersQuery)
    fault, found = "", PeoplePage([])
    with heavy(), reading() as cursor:
        try:
            wanted = wanted_by(query)
        except QueryError as error:
            fault = sentence(str(error))
        else:
            found = paging.page(cursor, wanted, query.before, PER_PAGE)
        on = finding.subscriptions(cursor, [person.number for person in found.people])
        names = directory.list_names(cursor)
    return render_template(
        "people/subscribers.html",
        people=[(person, on[person.number]) for person in found.people],
        page=found,
        query=query,
        fault=fault,
        lists=names,
        statuses=list(PersonStatus),
        subscriptions=list(SubscriptionStatus),
        is_filtered=any(
            request.args.get(name) for name in ("search", "list", "subscription", "status", "query")
        ),
        link=link_with,
    )


def wanted_by(query: SubscribersQuery) -> WantedPeople:
    """Raises QueryError."""
    return WantedPeople(
        search=query.search or None,
        query=condition(query.query) if query.query else None,
        lists=[] if query.list is None else [query.list],
        subscription=query.subscription if query.list is not None else None,
        status=query.status,
    )
