"""From a body as its author wrote it to what is sent: out of Markdown, and into its template.

A campaign keeps both: what was written, to be edited again, and what came of it, which is what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from application.campaigns.drafts import Draft
from application.campaigns.previews import CampaignMessages
from application.installation import Installation
from application.rendering.renderers import RENDERERS
from domain.campaign.template import TemplateType, wrapped
from domain.errors import Missing, Refused
from mail.template.render import MessageError
from storage import content
from storage.content import TextTooLarge

SENT = ("text", "html")
FIELDS = ("body", "altbody", "content_type", "template")


class Written(NamedTuple):
    """`altbody` is the plain text beside HTML; `content_type` as in domain.campaign.content."""

    body: str
    altbody: str | None
    content_type: str
    template: int | None

    @property
    def is_plain(self) -> bool:
        return self.content_type == "plain"


class Made(NamedTuple):
    """What is sent."""

    text: str | None
    html: str | None


class CampaignBodies:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def made(self, given: Written) -> Made:
        """Not for who holds a connection: Markdown may wait for its turn. Raises Refused for a template that
        is not there."""
        body = from_markdown(given.body) if given.content_type == "markdown" else given.body
        if given.template is not None and given.content_type != "visual":
            body = wrapped(self._template_body(given.template), body)
        if given.is_plain:
            return Made(body, None)
        return Made(given.altbody or None, body)

    def draft(
        self, changes: Mapping[str, Any], before: Mapping[str, Any], number: int = 0
    ) -> tuple[Draft, Written]:
        """A campaign whose content was `before`, with changes that nobody has kept: as it would be sent, and
        as it is written. Raises Refused."""
        fields = {**before, **changes}
        as_written = {name: changes[name] for name in FIELDS if name in changes}
        with self._installation.reading() as cursor:
            given = rewritten(cursor, as_written, before)
            as_it_is = sent(cursor, before) if before and not as_written else None
        made = as_it_is or self.made(given)
        draft = Draft(
            number=number,
            name=fields["name"],
            subject=fields["subject"],
            text=made.text,
            html=made.html,
            headers=[(name, value) for name, value in fields.get("headers") or ()],
            lists=fields["lists"],
            attributes=fields.get("attributes") or {},
        )
        return draft, given

    def check(self, changes: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """That messages can be made of what `draft` makes. Raises Refused, with the line and the reason."""
        draft, given = self.draft(changes, before)
        body = from_markdown(given.body) if given.content_type == "markdown" else given.body
        alone = (
            draft._replace(text=body, html=None)
            if given.is_plain
            else draft._replace(text=given.altbody, html=body)
        )
        for one in (alone, draft):
            if (one.text or "").strip() or (one.html or "").strip():
                messages = CampaignMessages(self._installation)
                refuse_faulty(messages.problems(one._replace(lists=())))

    def _template_body(self, number: int) -> str:
        """Raises Refused for one that is not there, or not for campaigns."""
        try:
            template = self._installation.application.template(number)
        except Missing:
            raise Refused(f"template_id: there is no template {number}", "template") from None
        if template.type != TemplateType.CAMPAIGN:
            raise Refused(f"template_id: template {number} is not for campaigns", "template")
        with self._installation.reading() as cursor:
            return content.text_of(cursor, template.body)


def written(cursor: Any, campaign: Mapping[str, Any]) -> Written:
    """From the content of a campaign, as the domain has it."""
    names = {name: campaign[name] for name in ("text", "html", "body") if campaign[name]}
    texts = content.texts_of(cursor, set(names.values())) if names else {}
    text, html = texts.get(campaign["text"] or ""), texts.get(campaign["html"] or "")
    body = texts.get(campaign["body"] or "")
    is_plain = campaign["html"] is None
    return Written(
        body=(body if body is not None else text if is_plain else html) or "",
        altbody=None if is_plain else text,
        content_type="plain" if is_plain else campaign["content_type"],
        template=campaign["template"],
    )


def rewritten(cursor: Any, changes: Mapping[str, Any], before: Mapping[str, Any]) -> Written:
    """What was written before, of a campaign that may not be there yet, with the changes on top."""
    base = written(cursor, before) if before else Written("", None, "html", None)
    return base._replace(**changes)


def sent(cursor: Any, campaign: Mapping[str, Any]) -> Made:
    """What a campaign sends as it is."""
    names = {name for name in (campaign["text"], campaign["html"]) if name}
    texts = content.texts_of(cursor, names) if names else {}
    return Made(texts.get(campaign["text"] or ""), texts.get(campaign["html"] or ""))


def keep_made(cursor: Any, given: Written, made: Made) -> dict[str, Any]:
    """The fields of a campaign, as the domain takes them. Raises Refused."""
    return {
        "body": keep(cursor, "body", given.body),
        "html": None if made.html is None else keep(cursor, "body", made.html),
        "text": None if made.text is None else keep(cursor, "altbody", made.text),
        "content_type": given.content_type,
        "template": None if given.content_type == "visual" else given.template,
    }


def keep(cursor: Any, field: str, text: str) -> str:
    """The hash by which the text is kept. Raises Refused."""
    try:
        return content.keep(cursor, text)
    except TextTooLarge as error:
        raise Refused(f"{field}: {error}", field) from None
    except ValueError:
        raise Refused(f"{field}: this is not valid Unicode text", field) from None


def refuse_faulty(problems: Sequence[str]) -> None:
    """Raises Refused when there are any."""
    if problems:
        raise Refused.for_fields({field_of(problem): problem for problem in problems})


def field_of(problem: str) -> str:
    """The field of our API that a problem is about."""
    part = problem.split(",")[0].split(":")[0].split(" ")[0]
    return {"html": "body", "text": "body", "header": "headers"}.get(part, part)


def from_markdown(source: str) -> str:
    """Raises Refused."""
    try:
        html: str = RENDERERS.ask("markdown", source=source)
    except MessageError as error:
        raise Refused(f"body: {error}", "body") from None
    return html
