"""Transactional messages, as listmonk has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from flask import Blueprint, request
from pydantic import Field, ValidationError

from application.campaigns.drafts import TemplateReader
from application.campaigns.transactional import Form, TransactionalMessages
from domain.addresses import email_address
from domain.campaign.content import LONGEST_SUBJECT, MOST_HEADERS
from domain.campaign.template import Template, TemplateType
from domain.campaign.transactional import MOST_RECIPIENTS, Particulars
from domain.errors import Missing, Refused
from domain.streams import LARGEST_NUMBER
from storage import transactional
from storage.people.personal_data import DirectoryError, checked_attributes
from storage.transactional import Known, Target
from web.http.access import actor
from web.http.contract import endpoint, read_body, refusal
from web.http.services import reading, services
from web.http.texts import check_json
from web.listmonk.campaigns.bodies import messenger_number
from web.listmonk.shapes import Lenient, Number, refuse_field

blueprint = Blueprint("listmonk_transactional", __name__)

LARGEST_BODY = 1_000_000
LONGEST_ADDRESS = 320

Address = Annotated[str, Field(max_length=LONGEST_ADDRESS)]
Header = Annotated[dict[str, str], Field(max_length=MOST_HEADERS)]

MULTIPART = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["data"],
            "properties": {"data": {"type": "string", "description": "The fields as JSON. No files."}},
        }
    }
}


class Message(Lenient):
    """`from_email` is taken and not used: the server that sends decides. `messenger` is as in campaigns."""

    subscriber_email: Address | None = None
    subscriber_id: Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] | None = None
    subscriber_emails: Annotated[list[Address], Field(max_length=MOST_RECIPIENTS)] | None = None
    subscriber_ids: Annotated[list[Number], Field(max_length=MOST_RECIPIENTS)] | None = None
    subscriber_mode: Literal["default", "fallback", "external", ""] | None = None
    template_id: Number
    from_email: str | None = None
    subject: Annotated[str, Field(max_length=LONGEST_SUBJECT)] | None = None
    data: dict[str, Any] | None = None
    headers: Annotated[list[Header], Field(max_length=MOST_HEADERS)] | None = None
    messenger: str | None = None
    content_type: Literal["html", "markdown", "plain", ""] | None = None
    altbody: Annotated[str, Field(max_length=100_000)] | None = None


@endpoint(
    blueprint, "POST", "/api/tx",
    needs="send", body=Message, takes=MULTIPART, answer=bool, largest_body=LARGEST_BODY,
)  # fmt: skip
def send() -> bool:
    """Send a transactional message

    To one or more subscribers, or to addresses in the modes `fallback` and `external`. When it is answered,
    what is to be sent is on disk; it is then sent like any e-mail of the queue.
    """
    message = sent()
    form = Form(template(message.template_id), message.content_type or "html",
                messenger_number(message.messenger or ""))  # fmt: skip
    TransactionalMessages(services()).send(form, particulars(message), targets(message), by=actor())
    return True


def sent() -> Message:
    """Raises Refused, Refusal."""
    if request.mimetype != "multipart/form-data":
        found = read_body(Message, optional=False)
        assert isinstance(found, Message)
        return found
    if request.files:
        raise refuse_field("file", "attachments are not offered")
    texts = request.form.getlist("data")
    if len(texts) != 1:
        raise refuse_field("data", "the fields as JSON are needed, once")
    check_json(texts[0], "data")
    try:
        return Message.model_validate_json(texts[0])
    except ValidationError as error:
        raise refusal(error, "body") from None


def template(number: int) -> Template:
    """Raises Refused."""
    try:
        found = services().application.template(number)
    except Missing:
        raise refuse_field("template_id", f"there is no template {number}") from None
    if found.type != TemplateType.TX:
        raise refuse_field("template_id", f"template {number} is not for transactional messages")
    return found


def particulars(message: Message) -> Particulars:
    """Raises Refused."""
    data = message.data or {}
    try:
        checked_attributes(data, "they")
    except DirectoryError as error:
        raise refuse_field("data", error.message) from None
    if "\0" in (message.altbody or ""):
        raise refuse_field("altbody", "it holds a NUL character")
    headers = tuple((name, value) for one in message.headers or () for name, value in one.items())
    return Particulars(data, message.subject or "", message.altbody or "", headers)


def targets(message: Message) -> list[tuple[Target, TemplateReader]]:
    """Each person and each address once. Raises Refused."""
    emails, numbers = addressed(message)
    mode = message.subscriber_mode or "default"
    with reading() as cursor:
        known = (
            transactional.by_number(cursor, numbers) if numbers else transactional.by_email(cursor, emails)
        )
    found: dict[object, tuple[Target, TemplateReader]] = {}
    for place, one in enumerate(known):
        if one is None and mode == "default":
            raise nobody(message, place, numbers)
        address = emails[place] if emails else ""
        found.setdefault(one.number if one else address, target(one, address, mode))
    return list(found.values())


def target(one: Known | None, address: str, mode: str) -> tuple[Target, TemplateReader]:
    if one is None or mode == "external":
        return Target(one.number if one else None, address), TemplateReader("", address, "", {})
    return Target(one.number, None), TemplateReader(one.uuid, one.email, one.name, one.attributes)


def addressed(message: Message) -> tuple[list[str], list[int]]:
    """E-mail addresses or numbers, never both. Raises Refused."""
    emails, numbers = list(message.subscriber_emails or ()), list(message.subscriber_ids or ())
    if emails and message.subscriber_email:
        raise refuse_field("subscriber_email", "is not to be given beside subscriber_emails")
    if numbers and message.subscriber_id:
        raise refuse_field("subscriber_id", "is not to be given beside subscriber_ids")
    emails += [message.subscriber_email] if message.subscriber_email else []
    numbers += [message.subscriber_id] if message.subscriber_id else []
    if message.subscriber_mode in ("fallback", "external"):
        if numbers:
            raise refuse_field("subscriber_ids", f"not with the mode {message.subscriber_mode}")
        if not emails:
            raise refuse_field("subscriber_emails", f"needed with the mode {message.subscriber_mode}")
    elif bool(emails) == bool(numbers):
        raise refuse_field("subscriber_emails", "either subscriber_emails or subscriber_ids are needed")
    return checked(emails), numbers


def checked(emails: Sequence[str]) -> list[str]:
    """Raises Refused, which never quotes an address."""
    trimmed = [email.strip().lower() for email in emails]
    for place, email in enumerate(trimmed):
        if wrong := email_address.wrong_with(email):
            raise refuse_field("subscriber_emails", f"number {place + 1}: {wrong}")
    return trimmed


def nobody(message: Message, place: int, numbers: Sequence[int]) -> Refused:
    if numbers:
        field = "subscriber_ids" if message.subscriber_ids else "subscriber_id"
        return refuse_field(field, f"there is no subscriber {numbers[place]}")
    if message.subscriber_emails:
        return refuse_field("subscriber_emails", f"number {place + 1}: no subscriber has this address")
    return refuse_field("subscriber_email", "no subscriber has this address")
