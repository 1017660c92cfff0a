"""Templates for people: what stands around the bodies of campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from application.campaigns.drafts import Draft
from application.campaigns.templates import Templates, row_and_body
from domain.campaign.template import TemplateType, wrapped
from domain.errors import Missing, Refused
from domain.streams import template_stream
from projections import templates
from projections.templates import TemplateRow
from web.http.access import actor, needs
from web.http.services import reading, services
from web.pages.campaigns.campaign_form import let_frames_in
from web.pages.campaigns.campaign_preview import shown, told
from web.pages.forms import faults
from web.pages.log.changes import changes_of
from web.pages.notices import say
from web.shapes.campaigns import LARGEST_BODY

blueprint = Blueprint("template_pages", __name__)

FIELDS = ("name", "type", "subject", "body")
TYPES = (
    (TemplateType.CAMPAIGN.value, "Campaigns", "the frame around a campaign’s body"),
    (TemplateType.CAMPAIGN_VISUAL.value, "Starter content", "a body to start campaigns from"),
    (TemplateType.TX.value, "Single messages", "the whole message that a program sends"),
)
WORDS = {value: name for value, name, _ in TYPES}
STARTER = """<!doctype html>
<html>
  <body style="margin: 0; padding: 24px; background: #f4f4f1; font: 16px/1.5 sans-serif; color: #222;">
    <div style="max-width: 600px; margin: 0 auto; padding: 32px; background: #fff; border-radius: 8px;">
      {{ content }}
    </div>
    <p style="max-width: 600px; margin: 16px auto; font-size: 13px; color: #666;">
      You get this because you are on one of our lists.
      <a href="{{ unsubscribe_url }}">Unsubscribe</a>
    </p>
  </body>
</html>
"""
SAMPLE = """<h1 style="margin-top: 0;">A heading of the campaign</h1>
<p>Hello {{ subscriber.first_name or "reader" }}, this is where a campaign’s text goes.</p>
<p>A second paragraph, with <a href="https://example.com/">a link</a>.</p>
"""


@blueprint.get("/templates")
@needs("read")
def listed() -> str:
    with reading() as cursor:
        return render_template("templates/list.html", rows=templates.templates(cursor), words=WORDS)


@blueprint.get("/templates/new")
@needs("write")
def new() -> Response:
    return form({"name": "", "type": TemplateType.CAMPAIGN.value, "subject": "", "body": STARTER}, {})


@blueprint.post("/templates/new")
@needs("write", largest_body=LARGEST_BODY)
def create() -> Response:
    values = given()
    try:
        number = Templates(services()).create(values, by=actor())
    except Refused as refused:
        return form(values, faults(refused), status=400)
    say(f"The template “{values['name'].strip()}” is saved.")
    return redirect(url_for("template_pages.one", number=number), 303)


@blueprint.get("/templates/<int:number>")
@needs("read")
def one(number: int) -> Response:
    with reading() as cursor:
        row, body = row_and_body(cursor, number)
        page = render_template(
            "templates/page.html",
            row=row,
            body=body,
            words=WORDS,
            changes=changes_of(cursor, template_stream(number)),
        )
    response = make_response(page)
    let_frames_in(response)
    return response


@blueprint.get("/templates/<int:number>/preview")
@needs("write")
def preview(number: int) -> Response:
    """With a sample where the body of a campaign would stand."""
    with reading() as cursor:
        row, body = row_and_body(cursor, number)
    return previewed({"type": row.type, "subject": row.subject, "body": body})


@blueprint.post("/templates/preview")
@needs("write", largest_body=LARGEST_BODY)
def preview_typed() -> Response:
    return previewed(given())


@blueprint.get("/templates/<int:number>/edit")
@needs("write")
def edit(number: int) -> Response:
    with reading() as cursor:
        row, body = row_and_body(cursor, number)
    return form({"name": row.name, "type": row.type, "subject": row.subject, "body": body}, {}, row)


@blueprint.post("/templates/<int:number>/edit")
@needs("write", largest_body=LARGEST_BODY)
def change(number: int) -> Response:
    with reading() as cursor:
        row, _ = row_and_body(cursor, number)
    values = {**given(), "type": row.type}
    try:
        Templates(services()).edit(number, values, by=actor())
    except Missing:
        raise
    except Refused as refused:
        return form(values, faults(refused), row, status=400)
    say("Changes saved. Started campaigns stay as they are; those not started yet use them.")
    return redirect(url_for("template_pages.one", number=number), 303)


@blueprint.post("/templates/<int:number>/default")
@needs("write")
def make_default(number: int) -> Response:
    try:
        Templates(services()).make_default(number, by=actor())
        say("Set as the default template.")
    except Missing:
        raise
    except Refused as refused:
        say(f"Not done: {refused.message}.", "bad")
    return redirect(url_for("template_pages.one", number=number), 303)


@blueprint.get("/templates/<int:number>/delete")
@needs("write")
def ask_to_delete(number: int) -> str:
    with reading() as cursor:
        row, _ = row_and_body(cursor, number)
    return render_template("templates/delete.html", row=row)


@blueprint.post("/templates/<int:number>/delete")
@needs("write")
def delete(number: int) -> Response:
    try:
        Templates(services()).delete(number, by=actor())
    except Missing:
        raise
    except Refused as refused:
        say(f"Not done: {refused.message}.", "bad")
        return redirect(url_for("template_pages.one", number=number), 303)
    say("Template deleted. Started campaigns stay as they are.")
    return redirect(url_for("template_pages.listed"), 303)


def given() -> dict[str, Any]:
    """What was typed, to be shown again."""
    values = {name: request.form.get(name, "") for name in FIELDS}
    return {**values, "body": values["body"].replace("\r\n", "\n")}


def previewed(values: Mapping[str, Any]) -> Response:
    try:
        html = wrapped(values["body"], SAMPLE) if values["type"] == TemplateType.CAMPAIGN else values["body"]
    except Refused as refused:
        return told(next(iter(faults(refused).values())))
    draft = Draft(
        number=0,
        name="Template",
        subject=values["subject"].strip() or "The subject of the campaign",
        text=None,
        html=html,
        headers=[],
        lists=[],
        transactional=values["type"] == TemplateType.TX,
    )
    who = request.values.get("like", "")
    return shown(draft, who, "html")


def form(
    values: Mapping[str, Any], errors: dict[str, str], row: TemplateRow | None = None, status: int = 200
) -> Response:
    page = render_template(
        "templates/form.html", values=values, errors=errors, row=row, types=TYPES, words=WORDS
    )
    response = make_response(page, status)
    let_frames_in(response)
    return response
