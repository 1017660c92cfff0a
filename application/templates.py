"""What can be done with templates, for pages and API alike. Every command names who gives it (`by`), and what
it did is shown by the projections when it returns. Bodies are given as texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from application.campaigns import catch_up, remake
from domain.campaign.template import TemplateType, check_place
from domain.errors import Missing, Refused
from projections import templates
from projections.campaign_progress import unstarted_with_template
from projections.templates import TemplateRow
from storage import content
from storage.content import TextTooLarge
from storage.numbers import next_template
from web.http.services import reading, services, wait_until_shown

TEXTS = ("body", "source")


def create(fields: Mapping[str, Any], *, by: str) -> int:
    """`fields` are name, body and, where not the default, type, subject and source. The first one for
    campaigns is the default. Returns the number. Raises Refused with a message for each wrong field."""
    kept = with_kept_texts(fields, fields.get("type", TemplateType.CAMPAIGN))
    with services().pool.transaction() as cursor:
        number = next_template(cursor)
    services().application.create_template(kept, number=number, by=by)
    catch_up()
    with reading() as cursor:
        has_default = templates.default_template(cursor) is not None
    if not has_default and kept.get("type", TemplateType.CAMPAIGN) == TemplateType.CAMPAIGN:
        make_default(number, by=by)
    return number


def edit(number: int, changes: Mapping[str, Any], *, by: str) -> None:
    """Campaigns that were started with it stay as they are; drafts and scheduled ones are made anew. Raises
    Refused, Missing."""
    kept = with_kept_texts(changes, services().application.template(number).type)
    wait_until_shown(services().application.edit_template(number, kept, by=by))
    if "body" in kept:
        remake_campaigns(number, number, by=by)


def make_default(number: int, *, by: str) -> None:
    """Raises Refused, Missing."""
    wait_until_shown(services().application.make_template_default(number, by=by))


def delete(number: int, *, by: str) -> None:
    """Drafts and scheduled campaigns take the default one instead. Raises Refused for the default one,
    Missing."""
    catch_up()
    with reading() as cursor:
        default = templates.default_template(cursor)
    if default == number:
        raise Refused("the default template cannot be deleted; make another one the default first")
    services().application.template(number)
    remake_campaigns(number, default, by=by)
    wait_until_shown(services().application.delete_template(number, by=by))


def remake_campaigns(number: int, template: int | None, *, by: str) -> None:
    """Those that are not started and have the template `number`, with another or with what it is by now."""
    with reading() as cursor:
        campaigns = unstarted_with_template(cursor, number)
    for campaign in campaigns:
        remake(campaign, template, by=by)


def with_kept_texts(fields: Mapping[str, Any], type: str) -> dict[str, Any]:
    """Texts are kept first, so that the log never names one that nobody has. Raises Refused."""
    kept = dict(fields)
    if "body" in kept:
        if not isinstance(kept["body"], str) or not kept["body"].strip():
            raise Refused("body: is missing", "body")
        if type == TemplateType.CAMPAIGN:
            check_place(kept["body"])
    with services().pool.transaction() as cursor:
        for name in TEXTS:
            if kept.get(name) is None:
                continue
            try:
                kept[name] = content.keep(cursor, kept[name])
            except TextTooLarge as error:
                raise Refused(f"{name}: {error}", name) from None
            except ValueError:
                raise Refused(f"{name}: this is not valid Unicode text", name) from None
    return kept


def row_and_body(cursor: Any, number: int) -> tuple[TemplateRow, str]:
    """Raises Missing."""
    row = templates.template(cursor, number) if number < 2**31 else None
    if row is None:
        raise Missing(f"there is no template {number}")
    return row, content.text_of(cursor, row.body)
