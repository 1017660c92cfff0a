"""Unsubscribing by the links of listmonk, which have the UUIDs of a campaign and a subscriber."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response

from application.people.people import People
from domain.errors import Missing
from domain.streams import Kind, campaign_of, kind_of
from storage.people import directory
from web.http.access import needs
from web.http.errors import Refusal
from web.http.services import reading, services
from web.pages.people.unsubscribe import RECIPIENT, shown

blueprint = Blueprint("subscription", __name__)

NOT_OURS = "This link is not complete, or no longer valid."

NOBODYS = UUID(int=0)
"""In the place of a campaign's: from all lists."""


@blueprint.get("/subscription/<campaign>/<subscriber>")
@needs("public")
def ask(campaign: str, subscriber: str) -> Response:
    """Changes nothing, since scanners follow links."""
    known(campaign, subscriber)
    return shown(done=False)


@blueprint.post("/subscription/<campaign>/<subscriber>")
@needs("public")
def unsubscribe(campaign: str, subscriber: str) -> Response:
    """Takes RFC 8058's one-click body, listmonk's form, and none at all. Doing it again answers the same."""
    number, recipient, lists = known(campaign, subscriber)
    People(services()).unsubscribe([recipient], lists, campaign=number, by=RECIPIENT)
    return shown(done=True)


def known(campaign: str, subscriber: str) -> tuple[int | None, int, list[int] | None]:
    """(campaign, recipient, lists to leave). Raises Refusal 404 for a UUID that nobody and nothing has."""
    try:
        campaign_uuid, person_uuid = UUID(campaign), UUID(subscriber)
        number = None if campaign_uuid == NOBODYS else campaign_number(campaign_uuid)
        lists = None if number is None else services().application.campaign(number).lists
    except (ValueError, Missing):
        raise Refusal(404, NOT_OURS) from None
    with reading() as cursor:
        person = directory.find_recipient(cursor, str(person_uuid))
    if person is None:
        raise Refusal(404, NOT_OURS)
    return number, person.number, lists


def campaign_number(uuid: UUID) -> int:
    """Raises ValueError."""
    if kind_of(uuid) is not Kind.CAMPAIGN:
        raise ValueError(f"{uuid} is no campaign")
    return campaign_of(uuid)
