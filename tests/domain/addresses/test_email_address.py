"""Which e-mail addresses can be mailed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.addresses.email_address import needs_smtputf8, wrong_with

LABEL_63 = "a" * 63


@pytest.mark.parametrize(
    "email",
    [
        "a@b.de",
        "first.last+tag@sub.example.com",
        "o'brien@example.co.uk",
        "x_1-2=3@example.museum",
        "user@xn--mnchen-3ya.de",
        "user@münchen.de",
        "用户@例子.公司",
        "a" * 64 + "@example.com",
        f"a@{LABEL_63}.{LABEL_63}.{LABEL_63}.com",
    ],
)
def test_these_are_addresses(email: str) -> None:
    assert wrong_with(email) is None


@pytest.mark.parametrize(
    "email",
    [
        "", "@", "a", "a@", "@b.de", "a@b", "a@@b.de", "a@b@c.de", "a b@c.de", "a@b c.de", " a@b.de",
        "a@b.de\n", "a@b.de\r\nRCPT TO:<c@d.de>", "a\x00@b.de", "a@b.de\x00", "a@b..de", "a@.b.de", "a@b.de.",
        ".a@b.de", "a.@b.de", "a..b@c.de", "<a@b.de>", '"a b"@c.de', "a@[127.0.0.1]", "a@127.0.0.1",
        "a@-b.de", "a@b-.de", "a@b_c.de", "a,b@c.de", "a;b@c.de", "a@b,de", "a" * 65 + "@b.de",
        "ä" * 33 + "@b.de", "a@" + "b" * 64 + ".de",
        "a@" + "b." * 126 + "de", "a\u202eb@c.de", "a\u200bb@c.de", "a@b\u3000c.de",
        "a\udcff@b.de", "a@b\udcff.de",
    ],
)  # fmt: skip
def test_these_are_refused_without_being_quoted(email: str) -> None:
    reason = wrong_with(email)
    assert reason
    assert len(email) < 4 or email not in reason


def test_only_the_part_before_the_at_asks_for_smtputf8() -> None:
    assert needs_smtputf8("grüße@example.com")
    assert not needs_smtputf8("user@münchen.de")


@given(st.text(max_size=40))
def test_nothing_that_could_end_a_command_ever_passes(text: str) -> None:
    email = f"{text}@example.com"
    if wrong_with(email) is None:
        assert email.count("@") == 1
        assert not set(email) & set("\r\n\t \0<>,;")
