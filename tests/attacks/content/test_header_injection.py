"""A finished message has the header fields that were meant, and no others, whatever people and campaigns are
called: read back by the standard library and by a reader that knows nothing but lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.parser import BytesParser
from email.policy import compat32, default

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

from domain.campaign.transactional import Particulars
from mail.message import headers, skeleton
from mail.message.compose import CampaignContent, Composer, MessageRecipient
from mail.template.render import MessageError

AT = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
URL, KEY = "https://post.example.com", bytes(32)
UUID = "00000007-0001-8000-8000-000000000000"
REPLY_TO = ("Reply-To", "{{ subscriber.name }} <r@x>")
NOTE = ("X-Note", "{{ subscriber.attributes.note }}")
BULK = (
    "Date From To Subject Message-ID List-Unsubscribe X-Postledger-Delivery List-Id Precedence"
    " List-Unsubscribe-Post MIME-Version Content-Type"
).split()
TRANSACTIONAL = (
    "Date From To Subject Message-ID X-Postledger-Delivery Auto-Submitted MIME-Version Content-Type"
).split()

pieces = st.sampled_from(
    [
        *("\r\n", "\n", "\r", "\r\n ", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", " ", "\t"),
        *(
            "Bcc: v@e.com",
            ",Bcc: v@e.com, ",
            "\r\nBcc: v@e.com",
            "\n\n<script>",
            "=?utf-8?q?=0D=0ABcc:_v@e.com?=",
        ),
        *(
            " <a@b.c>",
            ",",
            ", é",
            '"',
            "\\",
            "<",
            ">",
            "(",
            ")",
            ":",
            ";",
            "@",
            "[",
            "]",
            "é",
            "é <a@b.c>,é,",
        ),
        *("word " * 200, "x" * 999, "é" * 400, "(" * 300, "=?", "?=", "{{", "}}", "{% if", "."),
    ]
)
hostile = st.lists(pieces | st.text(max_size=12), max_size=8).map("".join)
header_lists = st.lists(
    st.sampled_from([REPLY_TO, NOTE, ("References", "{{ subscriber.attributes.note }}"), ("X-Fixed", "é x")]),
    unique=True,
)


@given(name=hostile, note=hostile, subject=hostile, sender=hostile, fields=header_lists)
@example("é <a@b.c>,é,Bcc: v@e.com, é", "", "", "News", [REPLY_TO])
@example("é\r\nBcc: v@e.com", "a\r\nBcc: v@e.com", "a\nBcc: v@e.com", "News", [REPLY_TO, NOTE])
@example("(" * 300, "", "", "News", [REPLY_TO])
def test_a_campaign_s_message_has_the_fields_that_were_meant(
    name: str, note: str, subject: str, sender: str, fields: Sequence[tuple[str, str]]
) -> None:
    content = CampaignContent(
        7, UUID, "Spring", "{{ subscriber.attributes.subject }}", "Hello", "<p>Hello</p>", fields
    )
    quoted = sender.replace("\\", "\\\\").replace('"', '\\"')
    person = MessageRecipient(9, UUID, "jane@example.net", name, {"note": note, "subject": subject})
    wire = made(content, f'"{quoted}" <news@example.com>', person)
    if wire is None:
        return
    check_fields(wire, [*BULK, *(name for name, _ in fields)])


@given(name=hostile, subject=hostile, data=hostile, value=hostile)
@example("Jane", "{{ tx.data.a }}", "x\r\nBcc: v@e.com", "{{ tx.data.a }}")
@example("Jane", "Hello", "", "<https://x.example/\r\nBcc: v@e.com>")
def test_a_transactional_message_has_the_fields_that_were_meant(
    name: str, subject: str, data: str, value: str
) -> None:
    content = CampaignContent(7, UUID, "Order", "Order", None, "<p>Hello</p>", transactional=True)
    given = (("List-Unsubscribe", value), ("X-Note", "{{ tx.data.a }}"), ("Reply-To", value))
    own = Particulars({"a": data}, subject, "", given)
    wire = made(content, "news@example.com", MessageRecipient(9, UUID, "jane@example.net", name, {}, own))
    if wire is None:
        return
    # A list of nobody is left out.
    written = [name for name, _ in given if name != "Reply-To" or "reply-to" in field_names(wire)]
    check_fields(wire, [*TRANSACTIONAL, "Content-Transfer-Encoding", *written])


@given(st.lists(pieces, max_size=5).map("".join))
def test_an_address_never_becomes_a_field(address: str) -> None:
    content = CampaignContent(7, UUID, "Spring", "Hello", "Hello", "<p>Hello</p>")
    for email in (address, f"jane{address}@example.net", f"jane@example.net{address}"):
        wire = made(content, "news@example.com", MessageRecipient(9, UUID, email, "Jane", {}))
        if wire is not None:
            check_fields(wire, BULK)


@pytest.mark.parametrize(
    "broken", ["{0}\r\nBcc: v@e.com", "{0}\nBcc: v@e.com", "{0}\rBcc: v@e.com", "{0}\r\n"]
)
def test_a_field_that_is_made_wrongly_is_refused_when_the_message_is_finished(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else fails on the way, which no test can foresee."""
    content = CampaignContent(7, UUID, "Spring", "Hello {{ subscriber.name }}", "Hello", None, [NOTE])
    person = MessageRecipient(9, UUID, "jane@example.net", "Jane", {"note": "a note"})
    assert made(content, "news@example.com", person)
    for module in (headers, skeleton):
        with monkeypatch.context() as patch:
            patch.setattr(module, "field", lambda name, value: f"{name}: {broken.format(value)}\r\n")
            assert made(content, "news@example.com", person) is None


def made(content: CampaignContent, sender: str, person: MessageRecipient) -> bytes | None:
    """None when it is refused."""
    try:
        return Composer(content, URL, KEY).for_server(sender).message(person, AT)
    except MessageError:
        return None


def check_fields(wire: bytes, meant: Sequence[str]) -> None:
    expected = sorted(name.lower() for name in meant)
    for policy in (compat32, default):
        assert sorted(name.lower() for name in BytesParser(policy=policy).parsebytes(wire)) == expected
    assert sorted(field_names(wire)) == expected
    assert message_from_bytes(wire, policy=compat32).get_payload()


def field_names(wire: bytes) -> list[str]:
    """As the most forgiving of mail programs would find them: any line end is one."""
    header = re.split(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n|\r\n\r(?!\n)", wire, maxsplit=1)[0]
    lines = re.split(rb"\r\n|\r|\n", header)
    return [line.partition(b":")[0].decode().lower() for line in lines if line[:1] not in (b" ", b"\t")]


@pytest.mark.parametrize(
    "from_email",
    [
        "=?utf-8?q?a=0D=0ABcc:_x?= <n@x>",
        ".. <n@x>",
        "(" * 300,
        "(" * 300 + " <n@x>",
        "a\r\nBcc: v@e.com <n@x>",
        "a <n@x>\0",
        "é <a@b.c>,é,Bcc: v@e.com, é <n@x>",
    ],
)
def test_a_from_address_that_no_header_can_be_made_of_is_refused(
    client: FlaskClient, from_email: str
) -> None:
    """These were answered with 500."""
    answer = client.post(
        "/api/servers", json={"name": "alpha", "host": "mail.example.com", "from_email": from_email}
    )
    assert answer.status_code == 400
    assert answer.get_json()["errors"][0]["pointer"] == "/from_email"
