"""What a rendering process is asked, and answers. Arguments and answers are what JSON can hold."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import lru_cache
from time import monotonic
from typing import Any

from domain.campaign.transactional import Particulars
from mail.message.compose import CampaignContent, Composer, MessageRecipient, Skeleton, check
from mail.template.markdown import from_markdown
from mail.template.render import MessageError

SLOW_SECONDS = 0.25
"""What a transactional message may take: it is made again when it is sent, among all others."""
_KEY = bytes(32)
"""Nothing here is signed: who asks brings the token of the unsubscribe link."""


def warm_up() -> None:
    """What the first question would wait for."""
    from_markdown("*a*")
    content = CampaignContent(0, "", "", "{{ today }}", "{{ today }}", "{{ today }}")
    check(content, [MessageRecipient(0, "", "a@example.com", "", {})], datetime.now(UTC))


def markdown(source: str) -> str:
    """Raises MessageError."""
    return from_markdown(source)


def problems(content: list[Any], people: list[list[Any]], at: str, public_url: str) -> list[str]:
    """What is wrong with a campaign's templates, each error once."""
    recipients = [MessageRecipient(*one) for one in people]
    wrong = check(CampaignContent(*content), recipients, datetime.fromisoformat(at), public_url)
    return [str(error) for error in wrong]


def transactional_problems(
    content: list[Any], particulars: list[Any], readers: list[list[Any]], at: str, public_url: str
) -> list[str]:
    """Why messages to these people cannot be made, each reason once."""
    name, subject, text, html = content
    data, own_subject, altbody, headers = particulars
    own = Particulars(data, own_subject, altbody, tuple((field, value) for field, value in headers))
    try:
        skeleton = _transactional(name, subject, text, html, public_url)
    except MessageError as error:
        return [str(error)]
    found: dict[str, None] = {}
    for uuid, address, full_name, attributes in readers:
        began = monotonic()
        person = MessageRecipient(0, uuid, address, full_name, attributes, own)
        found |= {str(error): None for error in skeleton.errors_of(person, datetime.fromisoformat(at))}
        if monotonic() - began > SLOW_SECONDS:
            found["html: takes too long to render"] = None
        if found:
            break
    return list(found)


def message(
    content: list[Any], person: list[Any], at: str, public_url: str, from_email: str, token: str
) -> list[str]:
    """(The message, one character for each byte; MAIL FROM; RCPT TO). Raises MessageError."""
    skeleton = Composer(CampaignContent(*content), public_url, _KEY).for_server(from_email)
    recipient = MessageRecipient(*person)
    made = skeleton.message(recipient, datetime.fromisoformat(at), token=token)
    return [made.decode("latin-1"), skeleton.envelope_from, skeleton.envelope_to(recipient)]


def preview(**asked: Any) -> list[str | None]:
    """(From, To, Subject, text, HTML) of what `message` makes, as its recipient would see them."""
    made = parsed(message(**asked)[0].encode("latin-1"))
    bodies = {
        name: part.get_content() for name in ("plain", "html") if (part := made.get_body((name,))) is not None
    }
    return [str(made["From"]), str(made["To"]), str(made["Subject"]), bodies.get("plain"), bodies.get("html")]


def parsed(made: bytes) -> EmailMessage:
    return email.message_from_bytes(made, policy=email.policy.default)


@lru_cache(maxsize=64)
def _transactional(name: str, subject: str, text: str | None, html: str | None, public_url: str) -> Skeleton:
    """Kept, since the same few templates are asked for all day. Raises MessageError."""
    content = CampaignContent(0, "", name, subject, text, html, transactional=True)
    return Composer(content, public_url, _KEY).for_server("check@example.com")
