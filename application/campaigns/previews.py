"""Campaigns made into messages for who writes them: checks, previews and test e-mails."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Sequence
from email.message import EmailMessage
from functools import lru_cache
from typing import Any

from application.campaigns.drafts import Draft, Shown, TemplateReader, TestEmail, UnmakeableError
from application.campaigns.test_sends import TestSends
from application.installation import Installation
from domain.campaign.transactional import Particulars
from domain.streams import campaign_stream
from mail.message.compose import CampaignContent, Composer, MessageRecipient, Skeleton, check
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
        wrong = check(
            content_of(draft), people, self._installation.clock.now(), self._installation.public_address
        )
        return [str(error) for error in wrong]

    def transactional_problems(
        self, draft: Draft, particulars: Particulars, readers: Sequence[TemplateReader]
    ) -> list[str]:
        """Why messages to these people cannot be made, each reason once. Empty when all can."""
        now, parts = self._installation.clock.now(), (draft.name, draft.subject, draft.text, draft.html)
        try:
            skeleton = transactional_skeleton(*parts, self._installation.public_address)
        except MessageError as error:
            return [str(error)]
        people = [MessageRecipient(0, one.uuid, one.email, one.name, dict(one.attributes), particulars)
                  for one in readers]  # fmt: skip
        errors = (str(error) for person in people for error in skeleton.errors_of(person, now))
        return list(dict.fromkeys(errors))

    def preview(self, draft: Draft, recipient: int | None) -> Shown:
        """As the first server would send it. Raises UnmakeableError, as `message` does."""
        return shown(parsed(self.message(draft, recipient)))

    def message(self, draft: Draft, recipient: int | None, from_email: str | None = None) -> bytes:
        """As it would be sent to the recipient of that number, or to somebody on its lists, from `from_email`
        or by the first server. Raises UnmakeableError."""
        with self._installation.pool.transaction() as cursor:
            if recipient is not None:
                person = directory.find_recipient(cursor, str(recipient))
                people = [addressed(person)] if person and person.email else []
            else:
                people = sample(cursor, draft.lists)[:1] or [NOBODY]
        if not people:
            raise UnmakeableError("nobody has that number any more")
        try:
            skeleton = self._composer(draft).for_server(from_email or self._first_sender())
            return skeleton.message(people[0], self._installation.clock.now())
        except MessageError as error:
            raise UnmakeableError(str(error)) from None

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
        try:
            composer = self._composer(draft)
        except MessageError as error:
            raise UnmakeableError(str(error)) from None
        return TestSends(self._installation, draft.number, composer, by).send(addresses, server, like)

    def _first_sender(self) -> str:
        with self._installation.reading() as cursor:
            found = servers.servers(cursor)
        return str(found[0].settings["from_email"]) if found else EXAMPLE_SENDER

    def _composer(self, draft: Draft) -> Composer:
        key = self._installation.opened_secrets().token_key()
        return Composer(content_of(draft), self._installation.public_address, key)


@lru_cache(maxsize=64)
def transactional_skeleton(
    name: str, subject: str, text: str | None, html: str | None, public_url: str
) -> Skeleton:
    """Kept, since the same few templates are asked for all day. Raises MessageError."""
    draft = Draft(0, name, subject, text, html, (), (), transactional=True)
    return Composer(content_of(draft), public_url, bytes(32)).for_server("check@example.com")


def content_of(draft: Draft) -> CampaignContent:
    return CampaignContent(
        number=draft.number,
        uuid=str(campaign_stream(draft.number)),
        name=draft.name,
        subject=draft.subject,
        text=draft.text,
        html=draft.html,
        headers=list(draft.headers),
        attributes=draft.attributes,
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


def parsed(message: bytes) -> EmailMessage:
    return email.message_from_bytes(message, policy=email.policy.default)


def shown(message: EmailMessage) -> Shown:
    bodies = {
        name: part.get_content()
        for name in ("plain", "html")
        if (part := message.get_body((name,))) is not None
    }
    return Shown(
        sender=str(message["From"]),
        to=str(message["To"]),
        subject=str(message["Subject"]),
        text=bodies.get("plain"),
        html=bodies.get("html"),
    )
