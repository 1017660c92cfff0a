"""Bringing in people from a CSV file: the form, the progress, the report."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response

from application.people.imports import LARGEST_FILE, Imports
from application.people.lists import Lists
from domain.errors import Refused
from domain.people.statuses import PersonStatus, SubscriptionStatus
from storage.people import directory, lists
from storage.people.imports import newest as newest_imports
from storage.people.recipients_import import Options
from web.http.access import actor, needs
from web.http.services import reading, services
from web.pages.forms import faults
from web.pages.notices import say
from web.pages.people.lists import about_name

blueprint = Blueprint("import_pages", __name__)

NEWEST = 10
BLOCKLIST = PersonStatus.BLOCKLISTED.value
STATUSES = (
    (SubscriptionStatus.CONFIRMED.value, "Confirmed", "they agreed to be mailed, and you can prove it"),
    (
        SubscriptionStatus.UNCONFIRMED.value,
        "Unconfirmed",
        "on double opt-in lists, not mailed until they confirm",
    ),
    (BLOCKLIST, "Blocklisted", "never mailed; no list needed"),
)
DELIMITERS = ((",", "Comma"), (";", "Semicolon"), ("\t", "Tab"))


@blueprint.get("/subscribers/import")
@needs("write")
def new() -> Response:
    return form({**empty(), "list": request.args.get("list", "")}, {})


@blueprint.post("/subscribers/import")
@needs("write", largest_body=LARGEST_FILE)
def begin() -> Response:
    values = given()
    file = request.files.get("file")
    errors = wrong_with(values)
    if file is None or not file.filename:
        errors["file"] = "Choose a file."
    if errors or file is None:
        return form(values, errors, 400)
    try:
        imports = Imports(services())
        imports.check_alone()
        options = options_of(values)
        name = secure_filename(file.filename or "") or "file.csv"
        number = imports.begin(file.stream, name, options, by=actor())
    except Refused as refused:
        return form(values, faults(refused), 400)
    return redirect(url_for("import_pages.one", number=number), 303)


@blueprint.get("/subscribers/imports/<int:number>")
@needs("read")
def one(number: int) -> str:
    return shown("people/import.html", number)


@blueprint.get("/subscribers/imports/<int:number>/live")
@needs("read")
def live(number: int) -> str:
    return shown("people/import_live.html", number)


@blueprint.post("/subscribers/imports/<int:number>/stop")
@needs("write")
def stop(number: int) -> Response:
    Imports(services()).stop(number)
    say("Stopping the import. Nothing of it is saved, unless it was almost finished.", "warn")
    return redirect(url_for("import_pages.one", number=number), 303)


def shown(template: str, number: int) -> str:
    imported = Imports(services()).one(number)
    with reading() as cursor:
        names = lists.names(cursor, imported.lists)
    return render_template(
        template,
        it=imported,
        lists=[(one, names.get(one, f"list {one}")) for one in imported.lists],
        share=min(100, 100 * imported.done // imported.size) if imported.size else 0,
    )


def empty() -> dict[str, Any]:
    return {"list": "", "new_list": "", "status": "", "overwrite": "", "resubscribe": "", "delimiter": ","}


def given() -> dict[str, Any]:
    """What was typed, to be shown again; a browser forgets the file by itself."""
    return {name: request.form.get(name, "") for name in empty()}


def wrong_with(values: dict[str, Any]) -> dict[str, str]:
    errors: dict[str, str] = {}
    if values["status"] not in [value for value, _, _ in STATUSES]:
        errors["status"] = "Choose a status."
    if values["delimiter"] not in dict(DELIMITERS):
        errors["delimiter"] = "One of the choices is expected."
    is_blocklist = values["status"] == BLOCKLIST
    if not is_blocklist and not values["list"] and not values["new_list"].strip():
        errors["list"] = "Choose a list, or name a new one."
    if values["list"] and not (values["list"].isdecimal() and len(values["list"]) < 10):
        errors["list"] = "One of the choices is expected."
    return errors


def options_of(values: dict[str, Any]) -> Options:
    """Makes the list that is named. Raises Refused."""
    is_blocklist = values["status"] == BLOCKLIST
    return Options(
        lists=[] if is_blocklist else [chosen_list(values)],
        subscription=SubscriptionStatus.UNCONFIRMED if is_blocklist else SubscriptionStatus(values["status"]),
        update=bool(values["overwrite"]),
        resubscribe=bool(values["resubscribe"]),
        blocklist=is_blocklist,
        delimiter=values["delimiter"],
        others=True,
    )


def chosen_list(values: dict[str, Any]) -> int:
    if not values["list"]:
        try:
            return Lists(services()).create({"name": values["new_list"]}, by=actor())
        except Refused as refused:
            message = next(iter(about_name(refused).values()))
            raise Refused(message, "new_list") from None
    with reading() as cursor:
        if lists.missing(cursor, [int(values["list"])]):
            raise Refused("this list no longer exists", "list")
    return int(values["list"])


def form(values: dict[str, Any], errors: dict[str, str], status: int = 200) -> Response:
    with reading() as cursor:
        names = directory.list_names(cursor)
        newest = newest_imports(cursor, NEWEST)
    page = render_template(
        "people/import_form.html",
        values=values,
        errors=errors,
        lists=names,
        statuses=STATUSES,
        delimiters=DELIMITERS,
        newest=newest,
        running=next((one for one in newest if one.state == "running"), None),
        largest=LARGEST_FILE // 1024 // 1024,
    )
    return make_response(page, status)
