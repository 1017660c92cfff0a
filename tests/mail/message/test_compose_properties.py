"""What the composer makes, against EmailMessage: whatever people are called and campaigns contain."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, compat32, default
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from mail.message.compose import CampaignContent, Composer, MessageRecipient

AT = datetime(2026, 3, 6, 9, 30, 5, tzinfo=UTC)
CAMPAIGN = CampaignContent(
    number=7,
    uuid="00000007-0001-8000-8000-000000000000",
    name="Spring",
    subject="{{ subscriber.attributes.subject }}",
    text="{{ subscriber.attributes.text }}",
    html="{{ subscriber.attributes.html|safe }}",
    headers=[("X-Note", "{{ subscriber.attributes.note }}")],
)
SKELETON = Composer(CAMPAIGN, "https://mail.example.com", bytes(32)).for_server("News <news@example.com>")
TEXT_ONLY = Composer(CAMPAIGN._replace(html=None), "https://mail.example.com", bytes(32)).for_server(
    "news@example.com"
)
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

breaks = ["\n.\n", "\n..", ".", "\r", "\n", "\r\n", "\n\n", " \n", "\t", "\0", " "]
lookalikes = ["=", "=3D", "=?utf-8?q?x?=", "--=_postledger_", "<b>", "From "]
long = ["x" * 998, "x" * 999, "word " * 300, "é" * 500]
scripts = ["👩\u200d👩\u200d👧", "שלום", "مرحبا", "ñ", "e\u0301", "李小龍"]
awkward = st.sampled_from([*breaks, *lookalikes, *long, *scripts])
bodies = st.lists(awkward | st.text(max_size=40), max_size=12).map("".join)
lines = st.lists(awkward | st.text(max_size=20), max_size=5).map("".join)
names = (
    st.text(max_size=30)
    | st.text('abc "\\(),.:;<>@[]=?_', max_size=70)
    | st.sampled_from(
        ["Ünal Şahin", "李小龍", "O'Brien, Pat", "a\r\nBcc: eve@example.com", "😀" * 40, "=?utf-8?q?x?="]
    )
)


@given(subject=lines, text=bodies, html=bodies, name=names, note=lines)
@example(subject="", text="", html="", name="", note="")
@example(subject="x" * 1100, text=".", html="\r.\r", name="a" * 70, note="y" * 1100)
def test_a_message_reads_as_the_one_that_email_message_makes(
    subject: str, text: str, html: str, name: str, note: str
) -> None:
    wire = SKELETON.message(_recipient(name, subject=subject, text=text, html=html, note=note), AT)
    made = _read(wire)
    expected = _plain_way(_one_line(subject), text, html, _one_line(name), _one_line(note))
    assert made["Date"].datetime == expected["Date"].datetime == AT
    assert made["From"].addresses == expected["From"].addresses
    assert _mailbox(wire, made) == (_one_line(name), "jane@example.net")
    assert (made["Subject"], made["X-Note"]) == (_one_line(subject), _one_line(note))
    assert made.get_content_type() == expected.get_content_type() == "multipart/alternative"
    assert [_content(part) for part in made.iter_parts()] == [
        _content(part) for part in expected.iter_parts()
    ]
    assert not any(part.defects for part in made.walk())


@given(subject=lines, text=bodies, name=names, note=lines)
def test_a_message_is_fit_for_every_mail_server(subject: str, text: str, name: str, note: str) -> None:
    recipient = _recipient(name, subject=subject, text=text, html=text, note=note)
    for skeleton in (SKELETON, TEXT_ONLY):
        wire = skeleton.message(recipient, AT)
        assert wire.isascii()
        assert b"\0" not in wire
        assert wire.endswith(b"\r\n")
        wire_lines = wire.split(b"\r\n")
        assert not any(b"\r" in line or b"\n" in line for line in wire_lines)
        assert max(map(len, wire_lines)) <= 998


@given(subject=lines, text=bodies, html=bodies)
def test_a_text_that_is_the_same_for_everybody_is_sent_as_one_that_is_rendered(
    subject: str, text: str, html: str
) -> None:
    fixed = CAMPAIGN._replace(
        subject=_without_tags(_one_line(subject)),
        text=_without_tags(text) or ".",
        html=_without_tags(html) or ".",
    )
    recipient = _recipient("Jane", subject=fixed.subject, text=fixed.text, html=fixed.html, note="")
    skeleton = Composer(fixed, "https://mail.example.com", bytes(32)).for_server("News <news@example.com>")
    once, again = skeleton.message(recipient, AT), skeleton.message(recipient, AT)
    assert once == again == SKELETON.message(recipient, AT)


def _recipient(name: str, **attributes: Any) -> MessageRecipient:
    return MessageRecipient(123, "c0ffee00-0000-4000-8000-000000000000", "jane@example.net", name, attributes)


def _plain_way(subject: str, text: str, html: str, name: str, note: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Date"] = AT
    message["From"] = "News <news@example.com>"
    message["To"] = Address(name, addr_spec="jane@example.net")
    message["Subject"] = subject
    message["X-Note"] = note
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def _read(wire: bytes) -> EmailMessage:
    message = message_from_bytes(wire, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def _one_line(value: str) -> str:
    return CONTROLS.sub(" ", value).strip(" ")


def _mailbox(wire: bytes, made: EmailMessage) -> tuple[str, str]:
    """The one in To. The library's parser of addresses changes the spaces in and between encoded words (RFC
    2047, section 6.2), so that those are read with its older reader."""
    address = made["To"].addresses[0]
    written = message_from_bytes(wire, policy=compat32)["To"]
    if written.startswith("=?utf-8?b?"):
        return str(make_header(decode_header(written.rpartition("<")[0].strip()))), address.addr_spec
    return address.display_name, address.addr_spec


def _content(part: Any) -> tuple[str, str]:
    return part.get_content_type(), part.get_content().replace("\r\n", "\n")


def _without_tags(source: str) -> str:
    return re.sub(r"\{[{%#]", "", source)
