"""What can be done with templates, for pages and API alike. Every command names who gives it (`by`), and what
it did is shown by the projections when it returns. Bodies are given as texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from application import permission
from application.campaigns.bodies import keep, refuse_faulty
from application.campaigns.campaigns import Campaigns
from application.campaigns.drafts import Draft
from application.campaigns.previews import CampaignMessages
from application.decisions.deciding import is_draft
from application.installation import Installation
from domain.campaign.template import TemplateType, check_place, wrapped
from domain.errors import Missing, Refused
from domain.streams import LARGEST_NUMBER
from projections import templates
from projections.campaign_progress import unstarted_with_template
from projections.templates import TemplateRow
from storage import content
from storage.numbers import next_template

TEXTS = ("body", "source")
SAMPLE = "<p>Hi there</p><p>This is where a campaign’s content goes.</p>"
"""In one line, so that the lines of a template keep their numbers."""


class Templates:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._decisions = installation.application

    def create(self, fields: Mapping[str, Any], *, by: str) -> int:
        """`fields` are name, body and, where not the default, type, subject and source. The first one for
        campaigns is the default. Returns the number. Raises Refused with a message for each wrong field."""
        type = fields.get("type", TemplateType.CAMPAIGN)
        kept = self._kept(fields, type, fields.get("subject", ""))
        with self._installation.pool.transaction() as cursor:
            number = next_template(cursor)
        self._decisions.create_template(kept, number=number, by=by)
        if self._default() is None and type == TemplateType.CAMPAIGN:
            self.make_default(number, by=by)
        return number

    def edit(self, number: int, changes: Mapping[str, Any], *, by: str) -> None:
        """Campaigns that were started with it stay as they are; drafts and scheduled ones are made anew.
        Raises Refused, Missing."""
        before = self._decisions.template(number)
        kept = self._kept(changes, before.type, changes.get("subject", before.subject))
        if "body" in kept:
            self._check_scopes(number)
        self._installation.wait_until_shown(self._decisions.edit_template(number, kept, by=by))
        if "body" in kept:
            self._wrap_campaigns(number, number, by=by)

    def make_default(self, number: int, *, by: str) -> None:
        """Raises Refused, Missing."""
        self._installation.wait_until_shown(self._decisions.make_template_default(number, by=by))

    def delete(self, number: int, *, by: str) -> None:
        """Drafts and scheduled campaigns take the default one instead. Raises Refused for the default one,
        Missing."""
        default = self._default()
        if default == number:
            raise Refused("the default template cannot be deleted; set another one as default first")
        self._decisions.template(number)
        self._check_scopes(number)
        self._wrap_campaigns(number, default, by=by)
        self._installation.wait_until_shown(self._decisions.delete_template(number, by=by))

    def _default(self) -> int | None:
        self._installation.catch_up()
        with self._installation.reading() as cursor:
            return templates.default_template(cursor)

    def _check_scopes(self, number: int) -> None:
        """What is sent of scheduled campaigns changes with their template. Raises ScopeMissing."""
        with self._installation.reading() as cursor:
            unstarted = unstarted_with_template(cursor, number)
        for campaign in unstarted:
            permission.check("campaign.edited", of_draft=is_draft(self._decisions.campaign(campaign)))

    def _wrap_campaigns(self, number: int, template: int | None, *, by: str) -> None:
        """Those that are not started and have the template `number`, with another or with what it is now."""
        with self._installation.reading() as cursor:
            unstarted = unstarted_with_template(cursor, number)
        for campaign in unstarted:
            Campaigns(self._installation).wrap(campaign, template, by=by)

    def _kept(self, fields: Mapping[str, Any], type: str, subject: str) -> dict[str, Any]:
        """Texts are kept first, so that the log never names one that nobody has. Raises Refused, also when no
        message can be made with it."""
        kept = dict(fields)
        if "body" in kept:
            if not isinstance(kept["body"], str) or not kept["body"].strip():
                raise Refused("body: is missing", "body")
            draft = sample(type, kept["body"], subject)
            refuse_faulty(CampaignMessages(self._installation).problems(draft))
        with self._installation.pool.transaction() as cursor:
            for name in TEXTS:
                if kept.get(name) is not None:
                    kept[name] = keep(cursor, name, kept[name])
        return kept


def sample(type: str, body: str, subject: str) -> Draft:
    """A message with the template. Raises Refused for one that has no place for a campaign's body."""
    if type == TemplateType.CAMPAIGN:
        check_place(body)
    html = wrapped(body, SAMPLE) if type == TemplateType.CAMPAIGN else body
    return Draft(0, "Sample", subject or "Sample", None, html, (), (), transactional=type == TemplateType.TX)


def row_and_body(cursor: Any, number: int) -> tuple[TemplateRow, str]:
    """Raises Missing."""
    row = templates.template(cursor, number) if number <= LARGEST_NUMBER else None
    if row is None:
        raise Missing(f"there is no template {number}")
    return row, content.text_of(cursor, row.body)
