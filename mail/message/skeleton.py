"""A campaign bound to the server that sends it: makes the message of one recipient after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, NamedTuple

from domain.addresses.email_address import needs_smtputf8, on_the_wire
from domain.addresses.host_name import AddressError
from domain.addresses.mailbox import Mailbox
from domain.campaign.transactional import Particulars
from domain.delivery.unsubscribe_token import token as signed
from mail.message.encoding import body, field, mailbox_field
from mail.message.headers import Headers, refuse_line_ends, refuse_stray_lines
from mail.template.bounds import Budget
from mail.template.render import (
    LIMITS,
    TRANSACTIONAL_NAMES,
    MessageError,
    PartTemplate,
    RenderLimits,
    names_for,
)

_A_SECOND = timedelta(seconds=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_OPENING = ("Date", "From", "To", "Subject", "Message-ID", "X-Postledger-Delivery")
_TRANSFER_ENCODINGS = ("7bit", "quoted-printable", "base64")


class MessageRecipient(NamedTuple):
    number: int
    uuid: str
    email: str
    name: str
    attributes: dict[str, Any]
    particulars: Particulars | None = None


class Part:
    """One body. `subtype` is plain or html."""

    def __init__(self, subtype: str, template: PartTemplate) -> None:
        self.subtype = subtype
        self.template = template
        self._openings = {
            encoding: f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode("ascii")
            for encoding in _TRANSFER_ENCODINGS
        }
        self._fixed: tuple[bytes, bytes] | None = None

    def entity(self, names: dict[str, Any], budget: Budget, boundary: str) -> tuple[bytes, bytes]:
        """(its header fields with the empty line, its content)."""
        if self._fixed is not None:
            return self._fixed
        encoding, content = body(self.template.render(names, budget), boundary)
        entity = self._openings[encoding], content
        if self.template.is_fixed:
            self._fixed = entity
        return entity


class Compiled(NamedTuple):
    """`names` is what templates see as `campaign`, but for the sender; `list_fields` and `unsubscribe_url`
    are the same for all recipients, the latter to be followed by a token."""

    campaign: int
    names: dict[str, Any]
    subject: PartTemplate
    parts: tuple[Part, ...]
    headers: Headers
    list_fields: tuple[str, ...]
    unsubscribe_url: str
    boundary: str
    token_key: bytes
    transactional: bool = False
    limits: RenderLimits = LIMITS


class _Second(NamedTuple):
    begins: datetime
    ends: datetime
    date_field: str
    day: date


class Skeleton:
    """`envelope_from` is for MAIL FROM, `from_domain` its domain."""

    def __init__(self, compiled: Compiled, sender: Mailbox) -> None:
        self._compiled = compiled
        self._sender = sender
        self._campaign = {**compiled.names, "from_email": _written(sender)}
        self.envelope_from = str(sender.address)
        self.from_domain = sender.address.domain
        self._from_field = mailbox_field("From", sender.display, self.envelope_from)
        self._opening_fields = len(_OPENING) + (not compiled.transactional)
        closing = _closing_fields(compiled)
        self._closing_fields = "".join(closing)
        refuse_stray_lines(self._closing_fields, len(closing))
        self._delimiter = f"\r\n--{compiled.boundary}\r\n".encode("ascii")
        self._closing_delimiter = f"\r\n--{compiled.boundary}--\r\n".encode("ascii")
        self._fixed_subject = field("Subject", compiled.subject.source) if compiled.subject.is_fixed else None
        self._own: tuple[Particulars, Skeleton] | None = None
        self._second = _Second(_LONG_AGO, _LONG_AGO, "", date.min)

    def message(
        self, recipient: MessageRecipient, at: datetime, id_domain: str | None = None, token: str = ""
    ) -> bytes:
        """The message: CRLF line ends, the last one too, and 7-bit unless `needs_smtputf8`.

        `at` is aware. `id_domain` is `from_domain` of the server that made the first attempt at this
        delivery, where that was another one: see docs/decisions/0002-message-id.md. `token` is the
        delivery's, where it is not to be made with the key. Raises MessageError."""
        if recipient.particulars is not None and recipient.particulars.has_texts:
            own = self._with_texts(recipient.particulars)
            return own.message(_without_texts(recipient), at, id_domain, token)
        compiled = self._compiled
        opaque = token or signed(compiled.token_key, compiled.campaign, recipient.number)
        date_field, today = self._date_of(at)
        names = self._names(recipient, compiled.unsubscribe_url + opaque, today)
        budget = compiled.limits.budget()
        added = compiled.headers.render(names, budget)
        header = (
            f"{date_field}{self._from_field}"
            f"{mailbox_field('To', recipient.name, self.envelope_to(recipient))}"
            f"{self._fixed_subject or field('Subject', compiled.subject.render(names, budget))}"
            f"Message-ID: <{self.message_id(recipient, id_domain)}>\r\n"
            f"{'' if compiled.transactional else _unsubscribe_field(compiled, opaque)}"
            # For complaints (RFC 5965), whose senders strike out the recipient and often the Message-ID. It
            # gives nothing away: the same token stands in the link above.
            f"X-Postledger-Delivery: {opaque}\r\n"
            f"{''.join(added)}"
        )
        refuse_stray_lines(header, self._opening_fields + len(added))
        return b"".join(self._pieces(header + self._closing_fields, names, budget))

    def message_id(self, recipient: MessageRecipient, id_domain: str | None = None) -> str:
        """Without angle brackets. What stands before the @ names the delivery for ever: it depends on no key
        and no server, and is unguessable for who does not know the recipient's UUID."""
        campaign = self._compiled.campaign
        seal = sha256(f"postledger message-id {campaign} {recipient.uuid}".encode()).hexdigest()[:16]
        return f"c{campaign}.r{recipient.number}.{seal}@{id_domain or self.from_domain}"

    def envelope_to(self, recipient: MessageRecipient) -> str:
        """For RCPT TO: the address with its domain in A-labels. Raises MessageError."""
        try:
            return on_the_wire(recipient.email)
        except AddressError as error:
            raise MessageError(f"the recipient's address cannot be used: {error}") from None

    def needs_smtputf8(self, recipient: MessageRecipient) -> bool:
        """Only a server with SMTPUTF8 and 8BITMIME can take this recipient's message."""
        return needs_smtputf8(recipient.email)

    def errors_of(self, recipient: MessageRecipient, at: datetime) -> Iterator[MessageError]:
        """Every error that this recipient's message would have, not the first alone."""
        if recipient.particulars is not None and recipient.particulars.has_texts:
            try:
                skeleton = self._with_texts(recipient.particulars)
            except MessageError as error:
                yield error
                return
            yield from skeleton.errors_of(_without_texts(recipient), at)
            return
        compiled = self._compiled
        names = self._names(recipient, f"{compiled.unsubscribe_url}check", self._date_of(at)[1])
        budget = compiled.limits.budget()
        steps: list[Callable[[], object]] = [
            lambda: self.envelope_to(recipient),
            lambda: compiled.subject.render(names, budget),
            lambda: compiled.headers.render(names, budget),
            *(lambda part=part: part.template.render(names, budget) for part in compiled.parts),
        ]
        for step in steps:
            try:
                step()
            except MessageError as error:
                yield error

    def _with_texts(self, own: Particulars) -> Skeleton:
        """For a message with a subject, text or headers of its own, which those of one request have in
        common. Raises MessageError."""
        texts = own._replace(data={})
        if self._own is not None and self._own[0] == texts:
            return self._own[1]
        skeleton = self._compiled_with(texts)
        self._own = texts, skeleton
        return skeleton

    def _compiled_with(self, own: Particulars) -> Skeleton:
        compiled, names = self._compiled, TRANSACTIONAL_NAMES
        if own.subject:
            refuse_line_ends("Subject", own.subject)
            compiled = compiled._replace(subject=PartTemplate("subject", own.subject, names=names))
        if own.headers:
            compiled = compiled._replace(headers=Headers(own.headers, names, unsubscribing=True))
        if own.altbody and compiled.parts[-1].subtype == "html":
            text = Part("plain", PartTemplate("text", own.altbody, names=names))
            compiled = compiled._replace(parts=(text, compiled.parts[-1]))
        return Skeleton(compiled, self._sender)

    def _pieces(self, header: str, names: dict[str, Any], budget: Budget) -> list[bytes]:
        boundary = self._compiled.boundary
        pieces = [header.encode("utf-8")]
        if len(self._compiled.parts) == 1:
            return [*pieces, *self._compiled.parts[0].entity(names, budget, boundary)]
        for part in self._compiled.parts:
            pieces.append(self._delimiter)
            pieces += part.entity(names, budget, boundary)
        pieces.append(self._closing_delimiter)
        return pieces

    def _date_of(self, at: datetime) -> tuple[str, date]:
        """The Date field and the day, both UTC. Kept for a second, since formatting takes long."""
        second = self._second
        if not second.begins <= at < second.ends:
            begins = at.astimezone(UTC).replace(microsecond=0)
            date_field = f"Date: {format_datetime(begins)}\r\n"
            second = self._second = _Second(begins, begins + _A_SECOND, date_field, begins.date())
        return second.date_field, second.day

    def _names(self, recipient: MessageRecipient, unsubscribe_url: str, today: date) -> dict[str, Any]:
        words = recipient.name.split()
        subscriber = {
            "email": recipient.email,
            "name": recipient.name,
            "first_name": words[0] if words else "",
            "last_name": words[-1] if len(words) > 1 else "",
            "uuid": recipient.uuid,
            "attributes": recipient.attributes,
            "attribs": recipient.attributes,
        }
        if self._compiled.transactional:
            own = recipient.particulars
            return names_for(subscriber, self._campaign, tx={"data": own.data if own else {}}, today=today)
        return names_for(subscriber, self._campaign, unsubscribe_url=unsubscribe_url, today=today)


def _written(sender: Mailbox) -> str:
    return f"{sender.display} <{sender.address}>" if sender.display else str(sender.address)


def _without_texts(recipient: MessageRecipient) -> MessageRecipient:
    own = recipient.particulars
    return recipient._replace(particulars=Particulars(own.data) if own else None)


def _unsubscribe_field(compiled: Compiled, opaque: str) -> str:
    """Not folded: relays that refold it break signatures, and readers its URL."""
    return f"List-Unsubscribe: <{compiled.unsubscribe_url}{opaque}>\r\n"


def _closing_fields(compiled: Compiled) -> list[str]:
    fields = ["MIME-Version: 1.0\r\n"]
    if len(compiled.parts) > 1:
        fields.append(f'Content-Type: multipart/alternative;\r\n boundary="{compiled.boundary}"\r\n')
    if not compiled.transactional:
        return [*compiled.list_fields, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", *fields]
    # RFC 3834, section 5: no person set it going, so that vacation responders are silent.
    is_given = "auto-submitted" in compiled.headers.names
    return fields if is_given else ["Auto-Submitted: auto-generated\r\n", *fields]
