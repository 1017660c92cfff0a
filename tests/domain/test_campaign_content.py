"""What a campaign may say, and what is refused at the door."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.campaign.content import checked_content
from domain.errors import Refused

BODY = "0123456789abcdef" * 4
CONTENT: dict[str, Any] = {"name": "Autumn", "subject": "Hello", "html": BODY, "lists": [3, 1, 3]}


def refusals(**changes: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        checked_content({**CONTENT, **changes})
    return refused.value.fields


def test_defaults_complete_a_content() -> None:
    assert checked_content({**CONTENT, "name": "  Autumn "}) == {
        "name": "Autumn",
        "subject": "Hello",
        "text": None,
        "html": BODY,
        "lists": [1, 3],
        "messenger": None,
        "priority": "normal",
        "headers": [],
        "template": None,
        "body": None,
        "content_type": "html",
        "tags": [],
        "attributes": {},
        "planned_for": None,
    }


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", "", "is missing"),
        ("name", "x" * 201, "at most 200"),
        ("name", 5, "not a text"),
        ("subject", " ", "is missing"),
        ("subject", "x" * 999, "at most 998"),
        ("subject", "Hello\r\nBcc: everybody@example.com", "line breaks"),
        ("subject", "Hello\nthere", "line breaks"),
        ("subject", "Hello\x00there", "line breaks"),
        ("subject", "half of \ud83d", "valid Unicode"),
        ("html", None, "text or an HTML body"),
        ("html", "<p>Hello</p>", "SHA-256"),
        ("text", BODY.upper(), "SHA-256"),
        ("lists", [], "at least one list"),
        ("lists", "12", "at least one list"),
        ("lists", [0], "0 is not from 1"),
        ("lists", [True], "not a whole number"),
        ("messenger", "mail2", "not a whole number"),
        ("messenger", 0, "0 is not from 1"),
        ("priority", "urgent", "high, normal, low"),
        ("priority", None, "high, normal, low"),
        ("headers", "X-A: b", "list of at most 50 pairs"),
        ("headers", [["X-A", "b"]] * 51, "list of at most 50 pairs"),
        ("headers", [["X-A"]], "not a pair"),
        ("headers", [["X-A", 5]], "not a pair"),
        ("headers", [["X A", "b"]], "not a header name"),
        ("headers", [["X-A:", "b"]], "not a header name"),
        ("headers", [["", "b"]], "not a header name"),
        ("headers", [["X-Ä", "b"]], "not a header name"),
        ("headers", [["X-A\r\nBcc", "b"]], "not a header name"),
        ("headers", [["X-A", "b\r\nBcc: c"]], "line breaks"),
        ("headers", [["X-A", "b\nc"]], "line breaks"),
        ("headers", [["X-A", "b\x00"]], "line breaks"),
        ("headers", [["X-A", "b"], ["x-a", "c"]], "more than once"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(field: str, value: object, reason: str) -> None:
    fields = refusals(**{field: value})
    assert reason in fields.get(field, fields.get("text", ""))


@pytest.mark.parametrize(
    "name",
    "From To Date Message-ID MIME-Version Content-Type content-transfer-encoding Subject Bcc Cc Sender"
    " Return-Path List-Unsubscribe list-unsubscribe-post Resent-From DKIM-Signature Received".split(),
)
def test_headers_of_the_message_itself_cannot_be_given(name: str) -> None:
    assert "cannot be given" in refusals(headers=[[name, "x"]])["headers"]


def test_other_headers_can() -> None:
    headers = [["Reply-To", "jo@example.com"], ["X-Campaign", "äöü"], ["Precedence", "bulk"]]
    assert checked_content({**CONTENT, "headers": headers})["headers"] == headers


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert refusals(name="", subject="", html=None, lists=[]).keys() == {"name", "subject", "text", "lists"}


def test_an_unknown_field_is_refused() -> None:
    assert "no such field" in refusals(words="x")["words"]


@given(st.dictionaries(st.sampled_from([*CONTENT, "headers", "text"]), st.none() | st.text() | st.integers()))
def test_anything_else_is_refused_or_storable(changes: dict[str, Any]) -> None:
    try:
        content = checked_content({**CONTENT, **changes})
    except Refused as refused:
        at_fault = refused.fields.keys()
    else:
        at_fault = set()
        assert not any(sign in content["subject"] + content["name"] for sign in "\r\n\0")
        assert json.dumps(content, ensure_ascii=False).encode()
    assert at_fault <= {*CONTENT, "text", "headers"}
