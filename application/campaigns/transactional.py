"""Sending transactional messages: what is to go out is on disk, in the log and beside the directory, when
the command returns. All messages of one template in one form share a campaign that never ends, so a request
is one event; see docs/decisions/0008-transactional-messages.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from application.campaigns import bodies
from application.campaigns.drafts import Draft, TemplateReader
from application.campaigns.previews import CampaignMessages
from application.installation import Installation
from domain.campaign.audience import RecipientsQueued
from domain.campaign.priority import Priority
from domain.campaign.template import Template
from domain.campaign.transactional import Particulars
from domain.errors import Outrun, Refused
from domain.streams import audience_stream
from storage import content, transactional
from storage.log.append import Conflict
from storage.transactional import Places, Target

_TRIES = 3


class Form(NamedTuple):
    """What messages of one campaign have in common. `content_type` is html, markdown or plain; `messenger` a
    server's number, None for all servers."""

    template: Template
    content_type: str
    messenger: int | None

    def shape(self) -> bytes:
        template = self.template
        parts = [template.number, template.name, template.subject, template.body]
        return sha256(json.dumps([*parts, self.content_type, self.messenger]).encode()).digest()


class TransactionalMessages:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def send(
        self,
        form: Form,
        particulars: Particulars,
        targets: Sequence[tuple[Target, TemplateReader]],
        *,
        by: str,
    ) -> None:
        """One message to each target. Raises Refused when one cannot be made; nothing is sent then."""
        draft, messages = self._draft(form), CampaignMessages(self._installation)
        readers = [reader for _, reader in targets]
        if problems := messages.transactional_problems(draft, particulars, readers):
            raise Refused.for_fields({field_of(problem): problem for problem in problems})
        for _ in range(_TRIES):
            try:
                if self._queued(form, draft, particulars, [target for target, _ in targets], by):
                    return
            except Conflict:
                continue
        raise Outrun("the same message is being sent right now; please try again")

    def _draft(self, form: Form) -> Draft:
        template = form.template
        with self._installation.reading() as cursor:
            body = content.text_of(cursor, template.body)
        html = bodies.from_markdown(body) if form.content_type == "markdown" else body
        is_plain = form.content_type == "plain"
        return Draft(
            number=0,
            name=template.name,
            subject=template.subject,
            text=body if is_plain else None,
            html=None if is_plain else html,
            headers=(),
            lists=(),
            transactional=True,
        )

    def _queued(
        self, form: Form, draft: Draft, particulars: Particulars, targets: Sequence[Target], by: str
    ) -> bool:
        """False when somebody else has opened another campaign for the form at this moment."""
        here, shape, count = self._installation, form.shape(), len(targets)
        with here.reading() as cursor:
            known = transactional.campaign_of(cursor, shape)
        is_open = known is not None and not here.application.campaign(known).state.is_over
        with here.pool.transaction() as cursor:
            places = transactional.take_places(cursor, shape, known, count) if known and is_open else None
            opening = []
            if places is None:
                places = transactional.open_campaign(cursor, shape, known, count)
                if places is None:
                    return False
                opening = here.application.opened_transactional(
                    places.campaign, kept_content(cursor, form, draft), by=by
                )
            transactional.keep(cursor, places, targets, particulars, here.clock.now())
            here.log.append_within(cursor, [*opening, queueing(places, count, by).stored()])
        return True


def field_of(problem: str) -> str:
    return "altbody" if problem.startswith("text") else bodies.field_of(problem)


def kept_content(cursor: Any, form: Form, draft: Draft) -> dict[str, Any]:
    """Of the campaign, as the domain takes it. Raises Refused."""
    return {
        "name": draft.name,
        "subject": draft.subject,
        "text": bodies.keep(cursor, "body", draft.text) if draft.text is not None else None,
        "html": bodies.keep(cursor, "body", draft.html) if draft.html is not None else None,
        "messenger": form.messenger,
        "priority": Priority.HIGH.value,
        "template": form.template.number,
        "content_type": form.content_type,
    }


def queueing(places: Places, count: int, by: str) -> RecipientsQueued:
    return RecipientsQueued(
        originator_id=audience_stream(places.campaign),
        originator_version=places.fact,
        by=by,
        ranges=[[places.first, places.first + count - 1]],
        count=count,
    )
