"""Lists, as listmonk has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, request
from pydantic import Field

from application.people.lists import Lists
from domain.clock import instant
from domain.fields import LONGEST_TAG, MOST_TAGS
from domain.people.statuses import ListStatus, ListType, Optin
from domain.streams import LARGEST_NUMBER
from storage.people import lists
from storage.people.lists import ListRow
from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.if_match import OfContent
from web.http.services import reading, services
from web.http.shapes import Answer, Line, Told, page_of
from web.listmonk.shapes import (
    Lenient,
    ListmonkPaged,
    PageWindow,
    body_or_form,
    found_or_404,
    ids_argument,
    listing,
)

blueprint = Blueprint("listmonk_lists", __name__)

Tags = Annotated[list[Annotated[str, Field(max_length=LONGEST_TAG)]], Field(max_length=MOST_TAGS)]


class ListBody(Lenient):
    """Tags are written as listmonk does, with dashes for blanks."""

    name: str | None = None
    type: ListType | Literal[""] | None = None
    optin: Optin | Literal[""] | None = None
    status: ListStatus | Literal[""] | None = None
    tags: Tags | None = None
    description: str | None = None

    def values(self) -> dict[str, Any]:
        """Empty texts count as left out."""
        given = {name: value for name, value in self.given().items() if value not in ("", [""])}
        if self.tags is not None:
            given["tags"] = normalised(self.tags)
        return given


def normalised(tags: list[str]) -> list[str]:
    return list(dict.fromkeys("-".join(tag.split()) for tag in tags if tag.strip()))


class MailingListQuery(ListmonkPaged):
    query: Annotated[str, Line(200)] | None = None
    type: ListType | None = None
    optin: Optin | None = None
    status: ListStatus | None = None
    tag: list[Annotated[str, Line(LONGEST_TAG)]] = Field(default_factory=list)
    minimal: bool = False


class ListAnswer(Answer):
    """`subscriber_count` is of all subscriptions, whatever their status."""

    id: int
    created_at: Told
    updated_at: Told
    uuid: str
    name: str
    type: ListType
    optin: Optin
    status: ListStatus
    tags: list[str]
    description: str
    subscriber_count: int
    subscriber_statuses: dict[str, int]


def shown(cursor: Any, number: int) -> dict[str, Any]:
    """Raises Refusal 404."""
    row = lists.one(cursor, number) if number <= LARGEST_NUMBER else None
    row = found_or_404(row, "list", number)
    return described(row, lists.sizes(cursor, [number])[number])


AS_FORM_TOO: dict[str, Any] = {}
"""As JSON or as a form: the view reads it."""


@endpoint(blueprint, "GET", "/api/lists", needs="read", query=MailingListQuery, answer=page_of(ListAnswer))
def listed(query: MailingListQuery) -> dict[str, Any]:
    """Lists of people

    `query` looks into their names; `tag` may be repeated, and all have to be there. With `minimal` nothing is
    counted, and all are given at once.
    """
    window = query.window() if not query.minimal else PageWindow(1, 0, 10_000, 0)
    wanted = lists.WantedLists(query.query, query.type, query.optin, query.status, query.tag)
    order_by, ascending = query.ordered(lists.ORDERS, "created_at")
    with reading() as cursor:
        total = lists.count(cursor, wanted)
        rows = lists.found(
            cursor, wanted, order_by=order_by, ascending=ascending, limit=window.limit, offset=window.offset
        )
        counts = {} if query.minimal else lists.sizes(cursor, [row.number for row in rows])
    if query.minimal:
        window = window._replace(per_page=total)
    results = [described(row, counts.get(row.number, {})) for row in rows]
    return listing(results, total, window, query=query.query or "")


@endpoint(blueprint, "GET", "/api/lists/<int:number>", needs="read", answer=ListAnswer, errors=(404,))
def one(number: int) -> dict[str, Any]:
    """One list"""
    with reading() as cursor:
        return shown(cursor, number)


@endpoint(
    blueprint,
    "POST",
    "/api/lists",
    needs="write",
    body=ListBody,
    answer=ListAnswer,
    errors=(409,),
    takes=AS_FORM_TOO,
)
def create() -> dict[str, Any]:
    """A new list

    Private, with single opt-in, unless it is said otherwise.
    """
    return one(Lists(services()).create(body_or_form(ListBody).values(), by=actor()))


@endpoint(
    blueprint,
    "PUT",
    "/api/lists/<int:number>",
    needs="write",
    body=ListBody,
    answer=ListAnswer,
    errors=(404, 409),
    takes=AS_FORM_TOO,
    if_match=OfContent(shown),
)
def change(number: int) -> dict[str, Any]:
    """Change a list

    What is left out stays as it is, tags too.
    """
    body = body_or_form(ListBody)
    if number > LARGEST_NUMBER:
        found_or_404(None, "list", number)
    Lists(services()).change(number, body.values(), by=actor())
    return one(number)


@endpoint(
    blueprint, "DELETE", "/api/lists/<int:number>", needs="write", answer=bool, if_match=OfContent(shown)
)
def delete(number: int) -> bool:
    """Delete a list

    With its subscriptions; people and campaigns stay. Also true when there is no such list.
    """
    Lists(services()).delete([number] if number <= LARGEST_NUMBER else [], by=actor())
    return True


@endpoint(blueprint, "DELETE", "/api/lists", needs="write", answer=bool)
def delete_many() -> bool:
    """Delete several lists

    Those whose `id` is given, or those whose names have `query` in them.
    """
    numbers = ids_argument()
    query = request.args.get("query", "").strip()
    if not numbers and not query:
        raise Refusal(400, "id: numbers of lists, or a query, are needed.")
    if not numbers:
        with reading() as cursor:
            numbers = [row.number for row in lists.found(cursor, lists.WantedLists(search=query))]
    Lists(services()).delete(numbers, by=actor())
    return True


def described(row: ListRow, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "id": row.number,
        "created_at": instant(row.created_at),
        "updated_at": instant(row.updated_at),
        "uuid": row.uuid,
        "name": row.name,
        "type": row.type,
        "optin": row.optin,
        "status": row.status,
        "tags": row.tags,
        "description": row.description,
        "subscriber_count": sum(counts.values()),
        "subscriber_statuses": counts,
    }
