"""Templates: what stands around the bodies of campaigns.

A template's body has one place for the content of a campaign, `{{ template "content" . }}` as in listmonk or
`{{ content }}`. A campaign is given the whole of both, so that what a started campaign says is fixed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, event

from domain import fields
from domain.campaign.content import LONGEST_SUBJECT, ContentEdited
from domain.errors import Missing, Refused
from domain.streams import template_stream

PLACE = re.compile(r'\{\{-?\s*(?:template\s+"content"\s+\.|content)\s*-?\}\}')


class TemplateType(StrEnum):
    """`campaign_visual` is a body that campaigns begin with, without a place for another; `tx` is the whole
    of a transactional message."""

    CAMPAIGN = "campaign"
    CAMPAIGN_VISUAL = "campaign_visual"
    TX = "tx"


def wrapped(template: str, body: str) -> str:
    """The body in its place. Raises Refused unless there is one place."""
    check_place(template)
    return PLACE.sub(lambda _: body, template)


def check_place(template: str) -> None:
    """Raises Refused unless there is one place for the content."""
    places = len(PLACE.findall(template))
    if places != 1:
        fields.refuse("body", f'{{{{ template "content" . }}}} must occur once, not {places or "nowhere"}')


class Template(Aggregate):
    """`body` and `source` are SHA-256 in hexadecimal of texts kept elsewhere; `source` is what an editor made
    the body from, or None; `subject` is for transactional messages."""

    TOPIC: ClassVar[str] = "template"

    class Event(Aggregate.Event):
        by: str

    class Created(Event, Aggregate.Created):
        TOPIC: ClassVar[str] = "template.created"
        number: int
        name: str
        type: str
        subject: str
        body: str
        source: str | None

    class Edited(ContentEdited, Event):
        TOPIC: ClassVar[str] = "template.edited"
        changes: dict[str, Any]

    class MadeDefault(Event):
        """Until another one is."""

        TOPIC: ClassVar[str] = "template.made_default"

    class Deleted(Event):
        TOPIC: ClassVar[str] = "template.deleted"

    @staticmethod
    def create_id(number: int) -> UUID:
        return template_stream(number)

    @classmethod
    def create(cls, number: int, content: Mapping[str, Any], *, by: str, at: datetime) -> Self:
        """`content` holds name, body and, where not the default, type, subject and source. Raises Refused
        with a message for each field that is wrong."""
        return cls._create(cls.Created, number=number, **checked(content), by=by, timestamp=at)

    @event(Created)
    def __init__(
        self, number: int, name: str, type: str, subject: str, body: str, source: str | None
    ) -> None:
        self.number = number
        self.name = name
        self.type = type
        self.subject = subject
        self.body = body
        self.source = source
        self.is_deleted = False

    @property
    def content(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _DEFAULTS}

    def edit(self, changes: Mapping[str, Any], *, by: str, at: datetime) -> None:
        """Records only what differs. Raises Missing, and Refused for fields that are wrong."""
        self._only_if_there()
        new = checked({**self.content, **changes})
        if new["type"] != self.type:
            fields.refuse("type", "is fixed")
        differing = {name: value for name, value in new.items() if value != self.content[name]}
        if differing:
            self.trigger_event(self.Edited, changes=differing, by=by, timestamp=at)

    def make_default(self, *, by: str, at: datetime) -> None:
        self._only_if_there()
        if self.type != TemplateType.CAMPAIGN:
            raise Refused("only a template for campaigns can be the default")
        self.trigger_event(self.MadeDefault, by=by, timestamp=at)

    @event(MadeDefault)
    def _made_default(self) -> None:
        """Which one is the default follows from all of them."""

    def delete(self, *, by: str, at: datetime) -> None:
        """That it is not the default is for the caller to see to."""
        self._only_if_there()
        self.trigger_event(self.Deleted, by=by, timestamp=at)

    @event(Deleted)
    def _deleted(self) -> None:
        self.is_deleted = True

    def _only_if_there(self) -> None:
        if self.is_deleted:
            raise Missing(f"there is no template {self.number}")


_DEFAULTS: dict[str, Any] = {
    "name": "",
    "type": TemplateType.CAMPAIGN.value,
    "subject": "",
    "body": "",
    "source": None,
}


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields, with the default for what is not given. Raises Refused."""
    fields.known(given, _DEFAULTS)
    values, checks = {**_DEFAULTS, **given}, fields.Checks()
    is_transactional = values["type"] == TemplateType.TX
    content = {
        "name": checks.run(fields.text, values["name"], "name", 200, 1),
        "type": checks.run(fields.choice, values["type"], "type", TemplateType),
        "subject": checks.run(
            fields.text, values["subject"], "subject", LONGEST_SUBJECT, 1 if is_transactional else 0
        ),
        "body": checks.run(fields.body, values["body"], "body"),
        "source": None if values["source"] is None else checks.run(fields.body, values["source"], "source"),
    }
    checks.done()
    return content
