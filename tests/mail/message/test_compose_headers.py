from __future__ import annotations

from email import message_from_string
from email.policy import default
from typing import Any

import pytest

from mail.message.headers import HeaderError, Headers
from mail.template.render import TemplateError, names_for

NAMES = names_for(
    {"name": "Jürgen", "attributes": {"note": "a\r\nBcc: eve@example.com", "long": "x" * 1500}}, {}
)


def read(fields: list[tuple[str, str]]) -> Any:
    rendered = "".join(Headers(fields).render(NAMES))
    assert rendered.isascii()
    assert max(map(len, rendered.split("\r\n"))) <= 998
    return message_from_string(rendered + "\r\n", policy=default)


@pytest.mark.parametrize(
    ("name", "value", "read_as"),
    [
        ("Reply-To", "help@example.com", "help@example.com"),
        ("Reply-To", '"Jürgen, Hilfe" <help@example.com>', '"Jürgen, Hilfe" <help@example.com>'),
        ("Reply-To", "{{ subscriber.name }} <help@example.com>", "Jürgen <help@example.com>"),
        ("Reply-To", "help+{{ 7 }}@example.com", "help+7@example.com"),
        ("X-Note", "Grüße {{ subscriber.name }}", "Grüße Jürgen"),
        ("X-Note", "Grüße", "Grüße"),
        ("X-Note", "=?utf-8?q?no?=", "=?utf-8?q?no?="),
        ("X-Note", "{{ subscriber.attributes.note }}", "a Bcc: eve@example.com"),
        ("X-Note", "{{ subscriber.attributes.long }}", "x" * 1500),
        ("X-Note", "word " * 300, ("word " * 300).strip()),
    ],
)
def test_a_header_reads_as_it_was_meant(name: str, value: str, read_as: str) -> None:
    message = read([(name, value)])
    assert message[name] == read_as
    assert message.keys() == [name]


@pytest.mark.parametrize("unsafe", ["\r", "\n", "\0", "\r\nBcc: eve@example.com"])
def test_a_value_with_cr_lf_or_nul_is_refused(unsafe: str) -> None:
    for value in (f"a{unsafe}b", f"{{{{ 1 }}}}{unsafe}b"):
        with pytest.raises(HeaderError, match="neither CR nor LF nor NUL"):
            Headers([("X-Note", value)])


@pytest.mark.parametrize("name", ["", "X Note", "X:Note", "X-Nöte", "X-Note\r\n", "X" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(HeaderError, match="printable ASCII"):
        Headers([(name, "value")])


@pytest.mark.parametrize(
    "name",
    [
        "From",
        "TO",
        "bcc",
        "Subject",
        "Date",
        "Message-Id",
        "List-Unsubscribe",
        "Content-Type",
        "MIME-Version",
    ],
)
def test_what_is_set_for_each_message_cannot_be_given(name: str) -> None:
    with pytest.raises(HeaderError, match="cannot be given"):
        Headers([(name, "value")])


@pytest.mark.parametrize(
    "fields",
    [
        [("Reply-To", "a@example.com"), ("Reply-To", "b@example.com")],
        [("Reply-To", "nobody <")],
        [("Reply-To", "jürgen@example.com")],
    ],
)
def test_a_header_that_is_malformed_is_refused(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(HeaderError):
        Headers(fields)


def test_a_template_in_a_header_is_checked_like_any_other() -> None:
    with pytest.raises(TemplateError, match=r"header X-Note, line 1: 'nobody' is not defined"):
        Headers([("X-Note", "{{ nobody }}")])
