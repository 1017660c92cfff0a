"""Campaigns made into messages for who writes them: checks, previews and test e-mails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from application.campaigns.drafts import Draft, Shown, TemplateReader, TestEmail, UnmakeableError
from application.campaigns.test_sends import Composed, TestSends
from application.installation import Installation
from application.rendering.renderers import RENDERERS
from domain.campaign.transactional import Particulars
from domain.delivery.unsubscribe_token import token
from domain.streams import campaign_stream
from mail.message.compose import CampaignContent, MessageRecipient
from mail.template.render import MessageError
from projections import servers
from storage import content
from storage.people import directory

SAMPLES = 20
EXAMPLE_SENDER = "Newsletter <news@example.com>"
NOBODY = MessageRecipient(0, "00000000-0000-8000-8000-000000000000", "reader@example.com", "Reader", {})


class CampaignMessages:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def draft(self, number: int) -> Draft:
        """Of a campaign that is kept. Raises Missing."""
        aggregate = self._installation.application.campaign(number)
        bodies = [name for name in (aggregate.text, aggregate.html) if name]
        with self._installation.pool.transaction() as cursor:
            texts = content.texts_of(cursor, bodies) if bodies else {}
        return Draft(
            number=number,
            name=aggregate.rendered_name,
            subject=aggregate.subject,
            text=texts.get(aggregate.text or ""),
            html=texts.get(aggregate.html or ""),
            headers=[(name, value) for name, value in aggregate.headers],
            lists=aggregate.lists,
            attributes=aggregate.attributes,
            transactional=aggregate.transactional,
        )

    def problems(self, draft: Draft) -> list[str]:
        """What is wrong with its templates, tried with some people of its lists. Empty when nothing is."""
        with self._installation.pool.transaction() as cursor:
            people = sample(cursor, draft.lists)
        return self._wrong("problems", content=content_of(draft), people=people)

    def transactional_problems(
        self, draft: Draft, particulars: Particulars, readers: Sequence[TemplateReader]
    ) -> list[str]:
        """Why messages to these people cannot be made, each reason once. Empty when all can."""
        parts = (draft.name, draft.subject, draft.text, draft.html)
        return self._wrong("transactional_problems", content=parts, particulars=particulars, readers=readers)

    def preview(self, draft: Draft, recipient: int | None) -> Shown:
        """As the first server would send it. Raises UnmakeableError, as `message` does."""
        return Shown(*self._asked("preview", draft, self._person(draft, recipient), self._first_sender()))

    def message(self, draft: Draft, recipient: int | None, from_email: str | None = None) -> bytes:
        """As it would be sent to the recipient of that number, or to somebody on its lists, from `from_email`
        or by the first server. Raises UnmakeableError."""
        person = self._person(draft, recipient)
        made: str = self._asked("message", draft, person, from_email or self._first_sender())[0]
        return made.encode("latin-1")

    def send_test(
        self,
        draft: Draft,
        addresses: Sequence[str],
        server: int | None,
        *,
        like: int | None = None,
        by: str,
    ) -> list[TestEmail]:
        """Sends at once, whatever the hours, within the limits of the servers, and puts it on record.
        `server` is the only one to use, None for the one with the most remaining; `like` is the recipient
        whose name and attributes stand in for those of addresses that nobody has. Raises UnmakeableError when
        no message can be made for anybody."""
        self._installation.opened_secrets()
        if problems := self._wrong("problems", content=content_of(draft), people=[]):
            raise UnmakeableError(problems[0])

        def composed(person: MessageRecipient, from_email: str) -> Composed:
            message, envelope_from, envelope_to = self._asked("message", draft, person, from_email)
            return Composed(message.encode("latin-1"), envelope_from, envelope_to)

        return TestSends(self._installation, draft.number, composed, by).send(addresses, server, like)

    def _person(self, draft: Draft, recipient: int | None) -> MessageRecipient:
        """Raises UnmakeableError."""
        with self._installation.pool.transaction() as cursor:
            if recipient is None:
                return next(iter(sample(cursor, draft.lists)[:1]), NOBODY)
            person = directory.find_recipient(cursor, str(recipient))
        if person is None or not person.email:
            raise UnmakeableError("there is no subscriber with this number any more")
        return addressed(person)

    def _first_sender(self) -> str:
        with self._installation.reading() as cursor:
            found = servers.servers(cursor)
        return str(found[0].settings["from_email"]) if found else EXAMPLE_SENDER

    def _asked(self, question: str, draft: Draft, person: MessageRecipient, from_email: str) -> Any:
        """Raises UnmakeableError."""
        key = self._installation.opened_secrets().token_key()
        signed = token(key, draft.number, person.number)
        try:
            return RENDERERS.ask(
                question, **self._told(), content=content_of(draft), person=person, from_email=from_email,
                token=signed,
            )  # fmt: skip
        except MessageError as error:
            raise UnmakeableError(str(error)) from None

    def _wrong(self, question: str, **asked: Any) -> list[str]:
        try:
            wrong: list[str] = RENDERERS.ask(question, **self._told(), **asked)
        except MessageError as error:
            return [str(error)]
        return wrong

    def _told(self) -> dict[str, str]:
        here = self._installation
        return {"at": here.clock.now().isoformat(), "public_url": here.public_address}


def content_of(draft: Draft) -> CampaignContent:
    return CampaignContent(
        number=draft.number,
        uuid=str(campaign_stream(draft.number)),
        name=draft.name,
        subject=draft.subject,
        text=draft.text,
        html=draft.html,
        headers=list(draft.headers),
        attributes=dict(draft.attributes),
        transactional=draft.transactional,
    )


def sample(cursor: Any, lists: Sequence[int]) -> list[MessageRecipient]:
    """Some people of the lists, from all over them."""
    numbers = directory.sample(cursor, lists, SAMPLES) if lists else []
    return [addressed(person) for person in directory.mailable(cursor, lists, numbers) if not person.reason]


def addressed(person: directory.Addressee | directory.Recipient) -> MessageRecipient:
    return MessageRecipient(
        person.number, str(person.uuid), person.email or "", person.name, person.attributes
    )
