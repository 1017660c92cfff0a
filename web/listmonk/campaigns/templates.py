"""Templates, as listmonk has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from flask import Blueprint, Response, request

from application.campaigns.templates import Templates, sample
from domain.campaign.template import TemplateType
from domain.clock import instant
from domain.errors import Refused
from domain.streams import LARGEST_NUMBER, template_stream
from projections import templates
from projections.templates import TemplateRow
from storage import content
from web.http.access import actor
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.if_match import OfStream
from web.http.services import reading, services
from web.http.shapes import Answer, Query, Told
from web.http.versions import Versioned, shown_version
from web.listmonk.campaigns.messages import shown
from web.listmonk.shapes import Lenient
from web.shapes.campaigns import LARGEST_BODY

blueprint = Blueprint("listmonk_templates", __name__)


class TemplateBody(Lenient):
    name: str | None = None
    type: TemplateType | Literal[""] | None = None
    subject: str | None = None
    body: str | None = None
    body_source: str | None = None

    def fields(self) -> dict[str, Any]:
        """Empty texts count as left out, as in listmonk."""
        given = {name: value for name, value in self.given().items() if value != ""}
        if "body_source" in given:
            given["source"] = given.pop("body_source")
        return given


class TemplateQuery(Query):
    no_body: bool = False


class TemplateAnswer(Answer):
    id: int
    created_at: Told
    updated_at: Told
    name: str
    type: TemplateType
    subject: str
    body: str
    body_source: str | None
    is_default: bool


@endpoint(blueprint, "GET", "/api/templates", needs="read", query=TemplateQuery, answer=list[TemplateAnswer])
def listed(query: TemplateQuery) -> list[dict[str, Any]]:
    """All templates, in the order of their making"""
    with reading() as cursor:
        return described(cursor, templates.templates(cursor), with_body=not query.no_body)


@endpoint(
    blueprint, "GET", "/api/templates/<int:number>",
    needs="read", query=TemplateQuery, answer=TemplateAnswer, errors=(404,), versioned=True,
)  # fmt: skip
def one(number: int, query: TemplateQuery) -> Versioned:
    """One template"""
    return told(number, with_body=not query.no_body)


@endpoint(
    blueprint, "POST", "/api/templates",
    needs="write", body=TemplateBody, answer=TemplateAnswer, largest_body=LARGEST_BODY, versioned=True,
)  # fmt: skip
def create(body: TemplateBody) -> Versioned:
    """A new template

    Its body is in Jinja, or in Go's templates as listmonk has them, with `{{ template "content" . }}` or
    `{{ content }}` once. The first one for campaigns is the default.
    """
    fields = {"name": "", "body": "", **body.fields()}
    return told(Templates(services()).create(fields, by=actor()))


@endpoint(
    blueprint, "PUT", "/api/templates/<int:number>",
    needs="write", body=TemplateBody, answer=TemplateAnswer, errors=(404,), largest_body=LARGEST_BODY,
    versioned=True, if_match=OfStream(template_stream),
)  # fmt: skip
def change(number: int, body: TemplateBody) -> Versioned:
    """Change a template

    What is left out stays as it is. Drafts and scheduled campaigns change with it; started ones do not.
    """
    there(number)
    fields = body.fields()
    fields.pop("type", None)
    Templates(services()).edit(number, fields, by=actor())
    return told(number)


@endpoint(
    blueprint, "PUT", "/api/templates/<int:number>/default",
    needs="write", answer=list[TemplateAnswer], errors=(404, 409), if_match=OfStream(template_stream),
)  # fmt: skip
def make_default(number: int) -> list[dict[str, Any]]:
    """Make a template the default

    The one that campaigns get which are made without saying which. Answers with all templates.
    """
    there(number)
    Templates(services()).make_default(number, by=actor())
    with reading() as cursor:
        return described(cursor, templates.templates(cursor))


@endpoint(
    blueprint,
    "DELETE",
    "/api/templates/<int:number>",
    needs="write",
    answer=bool,
    errors=(404, 409),
    if_match=OfStream(template_stream),
)
def delete(number: int) -> bool:
    """Delete a template

    Not the default one (409). Drafts and scheduled campaigns get the default one instead.
    """
    there(number)
    Templates(services()).delete(number, by=actor())
    return True


@endpoint(
    blueprint, "GET", "/api/templates/<int:number>/preview",
    needs="write", errors=(404,), media=("text/html", "text/plain"),
)  # fmt: skip
def preview(number: int) -> Response:
    """A template with some content in it, as HTML"""
    row = there(number)
    with reading() as cursor:
        body = content.text_of(cursor, row.body)
    return shown(sample(row.type, body, row.subject))


@endpoint(
    blueprint, "POST", "/api/templates/preview",
    needs="write", media=("text/html", "text/plain"), largest_body=LARGEST_BODY,
    takes={"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}, changes_nothing=True,
)  # fmt: skip
def preview_body() -> Response:
    """What a template would look like

    The form has its `body` and `template_type`; nothing is kept.
    """
    type = request.form.get("template_type", "") or TemplateType.CAMPAIGN
    if type not in list(TemplateType):
        raise Refused(f"template_type: one of {', '.join(TemplateType)} is expected", "template_type")
    body = request.form.get("body", "")
    return shown(sample(type, body, ""))


def there(number: int) -> TemplateRow:
    """Raises Refusal 404."""
    with reading() as cursor:
        found = templates.template(cursor, number) if number <= LARGEST_NUMBER else None
    if found is None:
        raise Refusal(404, f"There is no template {number}.")
    return found


def told(number: int, *, with_body: bool = True) -> Versioned:
    with reading() as cursor:
        version = shown_version(cursor, template_stream(number)) if number <= LARGEST_NUMBER else 0
    row = there(number)
    with reading() as cursor:
        return Versioned(described(cursor, [row], with_body=with_body)[0], version)


def described(cursor: Any, rows: Sequence[TemplateRow], *, with_body: bool = True) -> list[dict[str, Any]]:
    hashes = {name for row in rows for name in (row.body, row.source) if name} if with_body else set()
    texts = content.texts_of(cursor, hashes) if hashes else {}
    return [
        {
            "id": row.template,
            "created_at": instant(row.created_at),
            "updated_at": instant(row.changed_at),
            "name": row.name,
            "type": row.type,
            "subject": row.subject,
            "body": texts.get(row.body, ""),
            "body_source": texts.get(row.source) if row.source else None,
            "is_default": row.is_default,
        }
        for row in rows
    ]
