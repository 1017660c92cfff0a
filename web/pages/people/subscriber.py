"""One subscriber: who it is, every e-mail to them, and what was done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.people.people import LEFT_BEHIND, People
from application.queue.deliveries import Deliveries
from domain.errors import Missing, Refused
from domain.people.statuses import ERASED, SUBSCRIBED, PersonStatus
from domain.streams import LARGEST_NUMBER, person_stream
from projections.queue.items import WantedItems, items
from projections.servers import servers as all_servers
from storage.people import directory, finding, lists
from storage.people.directory import Recipient
from storage.people.personal_data import DirectoryError
from web.http.access import actor, needs
from web.http.contract import read_query
from web.http.services import reading, services
from web.http.shapes import Paged
from web.pages.forms import faults, link_with
from web.pages.log.changes import changes_of
from web.pages.notices import say
from web.pages.people import subscriber_form
from web.pages.people.subscriber_form import SUBSCRIPTIONS, fields_of, given
from web.pages.queue.queue import rows as queue_rows

blueprint = Blueprint("subscriber_page", __name__)

PER_PAGE = 25
SAID = {
    PersonStatus.BLOCKLISTED: "Blocklisted. No campaign mails this subscriber now, not even a running one.",
    PersonStatus.ENABLED: "Enabled. This subscriber can be mailed again.",
    PersonStatus.DISABLED: "Disabled. This subscriber is not mailed until enabled again.",
}
STEPS = {
    "blocklist": PersonStatus.BLOCKLISTED,
    "enable": PersonStatus.ENABLED,
    "disable": PersonStatus.DISABLED,
}


@blueprint.get("/subscribers/new")
@needs("write")
def new() -> Response:
    asked = request.args.get("list", "")
    return form(subscriber_form.empty(int(asked) if asked.isdecimal() and len(asked) < 10 else None), {})


@blueprint.post("/subscribers/new")
@needs("write", largest_body=512 * 1024)
def create() -> Response:
    values = given()
    try:
        fields = fields_of(values)
        check_lists(values["lists"])
        number = People(services()).add(**fields, by=actor())
        People(services()).set_lists(number, values["lists"], by=actor())
    except Refused as refused:
        return form(values, about_address(refused), status=400)
    say(f"{fields['email']} is added.")
    return redirect(url_for("subscriber_page.one", number=number), 303)


@blueprint.get("/subscribers/<int:number>")
@needs("read")
def one(number: int) -> str:
    query = read_query(Paged)
    assert isinstance(query, Paged)
    with reading() as cursor:
        person = found(cursor, number)
        names = {server.server: server.name for server in all_servers(cursor)}
        sent, total = Deliveries(services()).page(
            WantedItems(recipients=[number]), (query.page - 1) * PER_PAGE, PER_PAGE
        )
        return render_template(
            "people/subscriber.html",
            person=person,
            attributes=json.dumps(person.attributes, indent=2, ensure_ascii=False)
            if person.attributes
            else "",
            subscriptions=finding.subscriptions(cursor, [number])[number],
            deliveries=queue_rows(sent, names),
            total=total,
            page=query.page,
            pages=-(-total // PER_PAGE),
            changes=changes_of(cursor, person_stream(number)),
            link=link_with,
        )


@blueprint.get("/subscribers/<int:number>/edit")
@needs("write")
def edit(number: int) -> Response:
    with reading() as cursor:
        person = there(cursor, number)
        values = subscriber_form.standing(cursor, person)
    return form(values, {}, person)


@blueprint.post("/subscribers/<int:number>/edit")
@needs("write", largest_body=512 * 1024)
def change(number: int) -> Response:
    values = given()
    with reading() as cursor:
        person = there(cursor, number)
    try:
        fields = fields_of(values)
        check_lists(values["lists"])
        People(services()).change(number, fields, by=actor())
    except Missing:
        raise
    except Refused as refused:
        return form(values, about_address(refused), person, status=400)
    People(services()).set_lists(number, values["lists"], by=actor())
    say("Changes saved.")
    return redirect(url_for("subscriber_page.one", number=number), 303)


@blueprint.post("/subscribers/<int:number>/<any(blocklist, enable, disable):step>")
@needs("write")
def set_status(number: int, step: str) -> Response:
    with reading() as cursor:
        there(cursor, number)
    People(services()).set_status([number], STEPS[step], by=actor())
    say(SAID[STEPS[step]])
    return redirect(url_for("subscriber_page.one", number=number), 303)


@blueprint.get("/subscribers/<int:number>/<any(unsubscribe, erase):step>")
@needs("write")
def ask(number: int, step: str) -> str:
    with reading() as cursor:
        person = there(cursor, number)
        _, total = items(cursor, WantedItems(recipients=[number]), 0, 1)
        on = [one for one in directory.subscriptions_of(cursor, number) if one.status in SUBSCRIBED]
    return render_template(
        "people/subscriber_ask.html", person=person, step=step, on=on, total=total, left_behind=LEFT_BEHIND
    )


@blueprint.post("/subscribers/<int:number>/unsubscribe")
@needs("write")
def unsubscribe(number: int) -> Response:
    with reading() as cursor:
        there(cursor, number)
    ended = People(services()).unsubscribe([number], None, by=actor())
    say(f"Unsubscribed from {ended} {'list' if ended == 1 else 'lists'}.")
    return redirect(url_for("subscriber_page.one", number=number), 303)


@blueprint.post("/subscribers/<int:number>/erase")
@needs("write")
def erase(number: int) -> Response:
    with reading() as cursor:
        there(cursor, number)
    People(services()).erase([number], by=actor())
    say(
        f"Subscriber {number} is erased. What was sent to this number stays in the counts and in the log. "
        + LEFT_BEHIND
    )
    return redirect(url_for("subscriber_page.one", number=number), 303)


def found(cursor: Any, number: int) -> Recipient:
    """Also who was erased. Raises Missing."""
    person = directory.find_recipient(cursor, str(number)) if number <= LARGEST_NUMBER else None
    if person is None:
        raise Missing(f"there is no subscriber {number}")
    return person


def there(cursor: Any, number: int) -> Recipient:
    """Raises Missing for who was erased, too."""
    person = found(cursor, number)
    if person.status == ERASED:
        raise Missing(f"subscriber {number} is erased")
    return person


def check_lists(wanted: Mapping[int, str]) -> None:
    """Raises Refused for lists that are gone meanwhile."""
    with reading() as cursor:
        gone = lists.missing(cursor, list(wanted))
    if gone:
        raise Refused("lists: one of the lists no longer exists", "lists")


def about_address(refused: Refused) -> dict[str, str]:
    """What the directory still refuses when all fields are right is the address, which somebody else has."""
    errors = faults(refused)
    if isinstance(refused, DirectoryError) and "form" in errors:
        return {"email": errors["form"]}
    return errors


def form(
    values: Mapping[str, Any], errors: dict[str, str], person: Recipient | None = None, status: int = 200
) -> Response:
    with reading() as cursor:
        names = directory.list_names(cursor)
    page = render_template(
        "people/subscriber_form.html",
        values=values,
        errors=errors,
        person=person,
        lists=names,
        subscriptions=SUBSCRIPTIONS,
    )
    return make_response(page, status)
