"""Lists for people: who may be mailed together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.people.lists import Lists
from domain.errors import Missing, Refused
from domain.people.statuses import Optin
from domain.streams import LARGEST_NUMBER, list_stream
from storage.people import lists
from storage.people.export import exported
from storage.people.lists import ListRow
from storage.people.personal_data import DirectoryError
from web.http.access import actor, needs
from web.http.contract import read_query
from web.http.heavy_requests import heavy
from web.http.services import reading, services
from web.http.shapes import Line, Paged
from web.pages.forms import faults, link_with
from web.pages.log.changes import changes_of
from web.pages.notices import say

blueprint = Blueprint("list_pages", __name__)

PER_PAGE = 25
OPTINS = (
    (Optin.SINGLE.value, "Single", "added subscribers can be mailed right away"),
    (Optin.DOUBLE.value, "Double", "only confirmed subscribers are mailed"),
)


class ListsQuery(Paged):
    search: Annotated[str, Line(200)] | None = None


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Subscriptions by their status."""

    confirmed: int = 0
    unconfirmed: int = 0
    unsubscribed: int = 0

    @property
    def subscribed(self) -> int:
        return self.confirmed + self.unconfirmed


@blueprint.get("/lists")
@needs("read")
def listed() -> str:
    query = read_query(ListsQuery)
    assert isinstance(query, ListsQuery)
    wanted = lists.WantedLists(search=query.search)
    with reading() as cursor:
        total = lists.count(cursor, wanted)
        rows = lists.found(
            cursor, wanted, order_by="name", limit=PER_PAGE, offset=(query.page - 1) * PER_PAGE
        )
        sizes = lists.sizes(cursor, [row.number for row in rows])
    return render_template(
        "people/lists.html",
        rows=[(row, Sizes(**sizes[row.number])) for row in rows],
        total=total,
        search=query.search or "",
        page=query.page,
        pages=-(-total // PER_PAGE),
        link=link_with,
    )


@blueprint.get("/lists/new")
@needs("write")
def new() -> Response:
    return form({"name": "", "optin": Optin.SINGLE.value, "description": "", "tags": ""}, {})


@blueprint.post("/lists/new")
@needs("write")
def create() -> Response:
    values = given()
    try:
        number = Lists(services()).create(fields_of(values), by=actor())
    except Refused as refused:
        return form(values, about_name(refused), status=400)
    say(f"The list “{values['name'].strip()}” is created. Add subscribers next.")
    return redirect(url_for("list_pages.one", number=number), 303)


@blueprint.get("/lists/<int:number>")
@needs("read")
def one(number: int) -> str:
    with reading() as cursor:
        row = found(cursor, number)
        return render_template(
            "people/list.html",
            list=row,
            sizes=Sizes(**lists.sizes(cursor, [number])[number]),
            changes=changes_of(cursor, list_stream(number)),
        )


@blueprint.get("/lists/<int:number>/edit")
@needs("write")
def edit(number: int) -> Response:
    with reading() as cursor:
        row = found(cursor, number)
    return form({**row._asdict(), "tags": ", ".join(row.tags)}, {}, row)


@blueprint.post("/lists/<int:number>/edit")
@needs("write")
def change(number: int) -> Response:
    values = given()
    try:
        Lists(services()).change(number, fields_of(values), by=actor())
    except Missing:
        raise
    except Refused as refused:
        with reading() as cursor:
            return form(values, about_name(refused), found(cursor, number), status=400)
    say("Changes saved.")
    return redirect(url_for("list_pages.one", number=number), 303)


@blueprint.get("/lists/<int:number>/delete")
@needs("write")
def ask_to_delete(number: int) -> str:
    with reading() as cursor:
        row = found(cursor, number)
        sizes = Sizes(**lists.sizes(cursor, [number])[number])
    return render_template("people/list_delete.html", list=row, sizes=sizes)


@blueprint.post("/lists/<int:number>/delete")
@needs("write")
def delete(number: int) -> Response:
    with reading() as cursor:
        row = found(cursor, number)
    Lists(services()).delete([number], by=actor())
    say(f"The list “{row.name}” is deleted. Its subscribers are still in the directory.")
    return redirect(url_for("list_pages.listed"), 303)


@blueprint.get("/lists/<int:number>/export.csv")
@needs("read")
def export(number: int) -> Response:
    with reading() as cursor:
        found(cursor, number)
    return as_file(number, f"list-{number}.csv")


@blueprint.get("/subscribers/export.csv")
@needs("read")
def export_everybody() -> Response:
    return as_file(None, "subscribers.csv")


def as_file(list_number: int | None, name: str) -> Response:
    """Heavy until its last line has left, or whoever wanted it has gone."""
    held = ExitStack()
    held.enter_context(heavy())
    response = Response(exported(services().pool, list_number), mimetype="text/csv")
    response.call_on_close(held.close)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def found(cursor: Any, number: int) -> ListRow:
    """Raises Missing."""
    row = lists.one(cursor, number) if number <= LARGEST_NUMBER else None
    if row is None:
        raise Missing(f"there is no list {number}")
    return row


def given() -> dict[str, Any]:
    """What was typed, to be shown again."""
    values = {name: request.form.get(name, "") for name in ("name", "optin", "description", "tags")}
    return {**values, "description": values["description"].replace("\r\n", "\n")}


def fields_of(values: Mapping[str, Any]) -> dict[str, Any]:
    tags = [tag.strip() for tag in values["tags"].split(",")]
    return {**values, "tags": [tag for tag in tags if tag]}


def about_name(refused: Refused) -> dict[str, str]:
    """The directory says of no field that a name is taken."""
    errors = faults(refused)
    if isinstance(refused, DirectoryError) and "form" in errors:
        return {"name": errors["form"]}
    return errors


def form(
    values: Mapping[str, Any], errors: dict[str, str], row: ListRow | None = None, status: int = 200
) -> Response:
    page = render_template("people/list_form.html", values=values, errors=errors, list=row, optins=OPTINS)
    return make_response(page, status)
