from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from domain.delivery.unsubscribe_token import read
from mail.message.compose import CampaignContent, Composer, MessageRecipient, Skeleton, check
from mail.template.render import MessageError, RenderLimits, SenderError, TemplateError

KEY = b"a key of 32 bytes for the tests!"
URL = "https://mail.example.com"
AT = datetime(2026, 3, 6, 9, 30, 5, tzinfo=UTC)
SPRING = CampaignContent(
    number=7,
    uuid="00000007-0001-8000-8000-000000000000",
    name="Spring",
    subject="{{ subscriber.first_name }}, it is spring",
    text="Dear {{ subscriber.name }} of {{ subscriber.attributes.city }}\n.\n.hidden\n{{ unsubscribe_url }}",
    html="<p>Dear {{ subscriber.name }}</p>",
)
JANE = MessageRecipient(
    123, "c0ffee00-0000-4000-8000-000000000000", "jane@example.net", "Jane van Doe", {"city": "Oslo"}
)


def skeleton(from_email: str = "News <news@mail2.example.com>", **changes: Any) -> Skeleton:
    return Composer(SPRING._replace(**changes), URL, KEY).for_server(from_email)


def read_message(wire: bytes) -> EmailMessage:
    message = message_from_bytes(wire, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def made(recipient: MessageRecipient = JANE, **changes: Any) -> EmailMessage:
    return read_message(skeleton(**changes).message(recipient, AT))


def test_a_recipient_gets_their_own_text_and_html() -> None:
    message = made()
    text, html = message.iter_parts()
    assert message["Subject"] == "Jane, it is spring"
    assert message["To"] == "Jane van Doe <jane@example.net>"
    assert text.get_content_type() == "text/plain"
    assert text.get_content().startswith("Dear Jane van Doe of Oslo")
    assert (html.get_content_type(), html.get_content().strip()) == ("text/html", "<p>Dear Jane van Doe</p>")


def test_lines_that_start_with_a_dot_are_left_to_the_transaction() -> None:
    wire = skeleton(html=None).message(JANE, AT)
    assert b"\r\n.\r\n.hidden\r\n" in wire
    assert wire.endswith(b"\r\n")
    assert not wire.endswith(b"\r\n.\r\n")
    assert "\r\n.\r\n.hidden\r\n" in read_message(wire).get_content()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain words\n" * 50, "7bit"),
        ("x" * 998 + "\n", "7bit"),
        ("x" * 999 + "\n", "quoted-printable"),
        ("nul \0", "quoted-printable"),
        ("Grüße aus dem Garten\n" * 50, "quoted-printable"),
        ("Привет из сада\n" * 50, "base64"),
        ("庭からこんにちは\n" * 2000, "base64"),
    ],
)
def test_a_text_goes_in_the_plainest_encoding_that_7_bits_allow(text: str, encoding: str) -> None:
    wire = skeleton(text=text, html=None).message(JANE, AT)
    assert wire.isascii()
    message = read_message(wire)
    assert message["Content-Transfer-Encoding"] == encoding
    assert message.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(("absent", "content_type"), [("html", "text/plain"), ("text", "text/html")])
def test_a_campaign_with_one_body_sends_one_part(absent: str, content_type: str) -> None:
    assert made(**{absent: None}).get_content_type() == content_type
    assert made(**{absent: ""}).get_content_type() == content_type


def test_the_server_decides_from_and_envelope_and_message_id_domain() -> None:
    one, other = skeleton("News <news@mail2.example.com>"), skeleton("info@bücher.example")
    assert (one.envelope_from, other.envelope_from) == (
        "news@mail2.example.com",
        "info@xn--bcher-kva.example",
    )
    first, second = read_message(one.message(JANE, AT)), read_message(other.message(JANE, AT))
    assert (first["From"], second["From"]) == ("News <news@mail2.example.com>", "info@xn--bcher-kva.example")
    assert first["Message-ID"].endswith("@mail2.example.com>")
    assert second["Message-ID"].endswith("@xn--bcher-kva.example>")


def test_the_message_id_is_the_same_for_ever_also_on_another_server_and_with_another_key() -> None:
    first = skeleton("news@mail2.example.com")
    later = Composer(SPRING, URL, b"another key, after a rotation!!!").for_server("news@mail3.example.com")
    message = read_message(later.message(JANE, AT + timedelta(days=3), id_domain=first.from_domain))
    assert message["Message-ID"] == read_message(first.message(JANE, AT))["Message-ID"]
    assert re.fullmatch(r"<c7\.r123\.[0-9a-f]{16}@mail2\.example\.com>", message["Message-ID"])
    assert first.message_id(JANE).partition("@")[0] == later.message_id(JANE).partition("@")[0]


def test_deliveries_have_different_message_ids() -> None:
    people = [JANE, JANE._replace(number=124), JANE._replace(uuid="c0ffee01-0000-4000-8000-000000000000")]
    ids = {skeleton(number=number).message_id(person) for person in people for number in (7, 8)}
    assert len(ids) == 6


def test_one_click_unsubscription_leads_back_to_the_delivery() -> None:
    wire = skeleton().message(JANE, AT)
    found = re.search(rb"\r\nList-Unsubscribe: <https://mail\.example\.com/unsubscribe/([^>]+)>\r\n", wire)
    assert found is not None, "not folded, RFC 8058"
    token = found[1].decode()
    assert read([KEY], token) == (7, 123)
    message = read_message(wire)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["X-Postledger-Delivery"] == token
    assert f"{URL}/unsubscribe/{token}" in next(message.iter_parts()).get_content()


def test_bulk_mail_says_so_unless_the_campaign_says_otherwise() -> None:
    message = made()
    assert (message["List-Id"], message["Precedence"]) == ("<campaigns.mail.example.com>", "bulk")
    assert message["Auto-Submitted"] is None
    message = made(headers=[("List-ID", "Letters <letters.example.com>"), ("precedence", "list")])
    assert message.get_all("List-Id") == ["Letters <letters.example.com>"]
    assert message.get_all("Precedence") == ["list"]


def test_the_date_is_the_moment_of_the_attempt_in_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    one = skeleton()
    for at in (AT, elsewhere, AT + timedelta(seconds=1), AT):
        message = read_message(one.message(JANE, at))
        assert message["Date"].datetime == at
        assert message["Date"].endswith("+0000")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Jane\r\nBcc: eve@example.com", "Jane Bcc: eve@example.com"),
        ("Jane\0\x1b[31m\tDoe", "Jane [31m Doe"),
        ("\n", ""),
        ('Doe, "J" \\ Jane', 'Doe, "J" \\ Jane'),
        ("=?utf-8?q?Boss?=", "=?utf-8?q?Boss?="),
        ("李小龍 👩\u200d👩\u200d👧", "李小龍 👩\u200d👩\u200d👧"),
        ("\ud800", "?"),
    ],
)
def test_no_name_can_break_a_message(name: str, shown: str) -> None:
    message = made(JANE._replace(name=name))
    assert message["To"].addresses[0].display_name == shown
    assert message["Bcc"] is None
    assert len(message["To"].addresses) == 1


def test_a_rendered_subject_becomes_one_line() -> None:
    person = JANE._replace(attributes={"city": "Oslo\r\nBcc: eve@example.com\n\n"})
    message = made(person, subject="In {{ subscriber.attributes.city }}")
    assert message["Subject"] == "In Oslo Bcc: eve@example.com"
    assert message["Bcc"] is None


def test_a_long_subject_is_folded() -> None:
    subject = "spring and summer and autumn and winter " * 10
    wire = skeleton(subject=subject).message(JANE, AT)
    written = wire[wire.index(b"\r\nSubject: ") + 2 : wire.index(b"\r\nMessage-ID: ")].split(b"\r\n")
    assert len(written) > 5
    assert max(map(len, written)) <= 78
    assert read_message(wire)["Subject"] == subject.strip()


def test_a_body_that_holds_the_boundary_does_not_end_its_part() -> None:
    boundary = re.search(rb'boundary="([^"]+)"', skeleton().message(JANE, AT))
    assert boundary is not None
    text = f"before\n--{boundary[1].decode()}--\nafter\n"
    parts = list(made(text=text).iter_parts())
    assert len(parts) == 2
    assert parts[0].get_content().replace("\r\n", "\n") == text


def test_an_international_domain_goes_out_in_a_labels() -> None:
    person = JANE._replace(email="jane@Straße.example")
    one = skeleton()
    assert one.envelope_to(person) == "jane@xn--strae-oqa.example"
    assert not one.needs_smtputf8(person)
    assert one.message(person, AT).isascii()


def test_only_an_address_that_has_no_ascii_form_needs_smtputf8() -> None:
    person = JANE._replace(email="jürgen@bücher.example", name="Jürgen")
    one = skeleton()
    assert one.needs_smtputf8(person)
    assert not one.needs_smtputf8(JANE)
    assert one.envelope_to(person) == "jürgen@xn--bcher-kva.example"
    assert "<jürgen@xn--bcher-kva.example>\r\n".encode() in one.message(person, AT)


@pytest.mark.parametrize(
    "email",
    [
        *("", "jane", "@example.net", "jane@", "a b@example.net", "a@b@example.net", "jane@exa mple.net"),
        *(
            "jane@example.net\r\nRCPT TO:<eve@example.com>",
            "<jane@example.net>",
            "j\0@example.net",
            "ü@-.example",
        ),
    ],
)
def test_an_address_that_would_break_the_dialogue_makes_no_message(email: str) -> None:
    with pytest.raises(MessageError) as caught:
        skeleton().message(JANE._replace(email=email), AT)
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize(
    "from_email",
    [
        *(
            "",
            "news",
            "News news@example.com",
            "News <",
            "a@example.com, b@example.com",
            "Team: a@example.com;",
        ),
        *("x <a@example.com>\r\nBcc: b@c.d", "nürnberg@example.com"),
    ],
)
def test_a_server_without_one_proper_from_address_is_refused(from_email: str) -> None:
    with pytest.raises(SenderError):
        skeleton(from_email)


@pytest.mark.parametrize(
    "url", ["", "mail.example.com", "ftp://x.example", "https://", "https://a.b/\r\nX: y"]
)
def test_an_unusable_public_url_is_refused(url: str) -> None:
    with pytest.raises(MessageError, match="public URL"):
        Composer(SPRING, url, KEY)


def test_a_campaign_without_a_body_is_refused() -> None:
    with pytest.raises(TemplateError, match="text or an HTML body"):
        skeleton(text="", html=None)


def test_the_limits_hold_for_every_part() -> None:
    for part in ("subject", "text", "html"):
        content = SPRING._replace(**{part: "{{ subscriber.name * 100 }}"})
        one = Composer(content, URL, KEY, RenderLimits(output=200)).for_server("news@example.com")
        with pytest.raises(TemplateError, match=f"{part}: it grows"):
            one.message(JANE, AT)


def test_a_check_reports_each_error_of_the_samples_once() -> None:
    campaign = SPRING._replace(
        subject="{{ subscriber.attributes.plan }}",
        html="<p>\n{{ subscriber.attributes.city }}",
        headers=[("X-Plan", "{{ subscriber.attributes.plan }}")],
    )
    samples = [JANE, JANE._replace(attributes={}), JANE._replace(attributes={}, email="broken")]
    assert [str(error) for error in check(campaign, samples, AT)] == [
        "subject, line 1: there is no 'plan'",
        "header X-Plan, line 1: there is no 'plan'",
        "text, line 1: there is no 'city'",
        "html, line 2: there is no 'city'",
        "the recipient's address cannot be used: the e-mail address must have exactly one @",
    ]


def test_a_check_finds_nothing_in_a_sound_campaign_and_syntax_errors_without_samples() -> None:
    assert check(SPRING, [JANE], AT) == []
    errors = check(SPRING._replace(html="{% if %}"), [], AT)
    assert [type(error) for error in errors] == [TemplateError]
    assert all(isinstance(error, MessageError) for error in errors)


def test_threads_share_a_skeleton() -> None:
    one = skeleton()
    people = [JANE._replace(number=n, name=f"Person {n}", email=f"p{n}@example.net") for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda person: one.message(person, AT), people))
    assert together == [skeleton().message(person, AT) for person in people]
