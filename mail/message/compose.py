"""A campaign compiled to what is the same for all its messages.

    composer = Composer(content, public_url, token_key)     # once per campaign; raises MessageError
    skeleton = composer.for_server("News <news@mail2.example.com>")
    message = skeleton.message(recipient, at)               # per attempt; raises MessageError

Everything here is safe to share among threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from domain.addresses.host_name import AddressError
from domain.addresses.mailbox import Mailbox
from domain.addresses.public_url import PublicUrl
from domain.delivery.unsubscribe_token import SHORTEST_KEY
from mail.message.headers import Headers, refuse_line_ends
from mail.message.skeleton import Compiled, MessageRecipient, Part, Skeleton
from mail.template.render import (
    LIMITS,
    NAMES,
    TRANSACTIONAL_NAMES,
    MessageError,
    PartTemplate,
    RenderLimits,
    SenderError,
    TemplateError,
)

__all__ = ["CampaignContent", "Composer", "MessageRecipient", "Skeleton", "check"]


class CampaignContent(NamedTuple):
    """`text` or `html` may be None or empty, not both. Subject, bodies and header values are templates, which
    see `attributes` as `campaign.attributes`. `transactional`: each recipient brings particulars, and nothing
    in the header says bulk mail."""

    number: int
    uuid: str
    name: str
    subject: str
    text: str | None
    html: str | None
    headers: Sequence[tuple[str, str]] = ()
    attributes: Mapping[str, Any] = MappingProxyType({})
    transactional: bool = False


class Composer:
    """`token_key` signs unsubscribe links (the newest of the keys in force). Raises MessageError for content
    that no message can be made of and for an unusable URL, ValueError for an unusable key."""

    def __init__(
        self, campaign: CampaignContent, public_url: str, token_key: bytes, limits: RenderLimits = LIMITS
    ) -> None:
        if len(token_key) < SHORTEST_KEY:
            raise ValueError(f"a key of unsubscribe tokens has at least {SHORTEST_KEY} bytes")
        url = _public_url(public_url)
        refuse_line_ends("Subject", campaign.subject)
        names = TRANSACTIONAL_NAMES if campaign.transactional else NAMES
        headers = Headers(campaign.headers, names)
        self._compiled = Compiled(
            campaign=campaign.number,
            names={
                "name": campaign.name,
                "subject": campaign.subject,
                "uuid": campaign.uuid,
                "attributes": dict(campaign.attributes),
            },
            subject=PartTemplate("subject", campaign.subject, limits=limits, names=names),
            parts=_parts(campaign, limits, names),
            headers=headers,
            list_fields=() if campaign.transactional else _list_fields(url.host, headers),
            unsubscribe_url=f"{url}/unsubscribe/",
            boundary=f"=_postledger_{campaign.uuid}",
            token_key=token_key,
            transactional=campaign.transactional,
            limits=limits,
        )

    def for_server(self, from_email: str) -> Skeleton:
        """`from_email` decides From and envelope sender. Raises SenderError."""
        try:
            return Skeleton(self._compiled, Mailbox.parse(from_email))
        except AddressError as error:
            raise SenderError(f"the From address of the server cannot be used: {error}") from None


def check(
    campaign: CampaignContent,
    samples: Iterable[MessageRecipient],
    at: datetime,
    public_url: str = "https://example.com",
) -> list[MessageError]:
    """What is wrong with a campaign, found before it starts: each error once, however many of the samples
    show it. Empty when a message can be made for every sample."""
    try:
        skeleton = Composer(campaign, public_url, bytes(32)).for_server("check@example.com")
    except MessageError as error:
        return [error]
    errors = (error for recipient in samples for error in skeleton.errors_of(recipient, at))
    return list({str(error): error for error in errors}.values())


def _parts(campaign: CampaignContent, limits: RenderLimits, names: frozenset[str]) -> tuple[Part, ...]:
    """Plainest first (RFC 2046, section 5.1.4)."""
    parts = []
    if campaign.text:
        parts.append(Part("plain", PartTemplate("text", campaign.text, limits=limits, names=names)))
    if campaign.html:
        html = PartTemplate("html", campaign.html, html=True, limits=limits, names=names)
        parts.append(Part("html", html))
    if not parts:
        raise TemplateError("text", None, "a campaign has a text or an HTML body")
    return tuple(parts)


def _public_url(text: str) -> PublicUrl:
    try:
        return PublicUrl.parse(text)
    except AddressError as error:
        raise MessageError(f"the public URL cannot be used: {error}") from None


def _list_fields(host: str, headers: Headers) -> tuple[str, ...]:
    """What says that this is bulk mail, unless the campaign says so in its own way.

    List-Id (RFC 2919) is one for the installation, so that readers' filters hold from campaign to campaign.
    Precedence is no standard, but with List-Id it is what keeps vacation responders silent (RFC 3834,
    section 2). Auto-Submitted is left out: it is for what no person set going (section 5 there).
    """
    fields = []
    if "list-id" not in headers.names:
        fields.append(f"List-Id: <campaigns.{host.replace(':', '-')}>\r\n")
    if "precedence" not in headers.names:
        fields.append("Precedence: bulk\r\n")
    return tuple(fields)
