"""No reply keeps the address it quotes, however it quotes it."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.delivery.reply import sanitise

ADDRESS = "Jane.Doe+news@example.com"


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("2.0.0 Ok: queued as 4F2A11C0", "2.0.0 Ok: queued as 4F2A11C0"),
        ("5.1.1 <jane.doe+news@EXAMPLE.com>: user unknown", "5.1.1 <recipient>: user unknown"),
        ("Jane.Doe+news@example.com... rejected", "<recipient>... rejected"),
        ('"Jane.Doe+news"@example.com is unknown', "<recipient> is unknown"),
        ("see http://x.example/?who=jane.doe%2Bnews%40example.com", "see http://x.example/?who=<recipient>"),
        ("rfc822;Jane.Doe+2Bnews@example.com", "rfc822;<recipient>"),
        ("from bounce-jane.doe+news=example.com@relay", "from bounce-<recipient>@relay"),
        ("550-Jane.Doe+news@exam\r\n550 5.1.1 ple.com unknown", "550-<recipient> unknown"),
        ("Jane.Doe+news@\n550-example.com unknown", "<recipient> unknown"),
        ("jane.doe+news at example.com is full", "<recipient> is full"),
        ("mailbox jane.doe+news does not exist", "mailbox <recipient> does not exist"),
        ("Jane.\x00Doe+news@example.com", "<recipient>"),
        ("ask <postmaster@example.org>, or abuse%40example.org", "ask <address>, or <address>"),
        ("two\r\nlines\tand\x1b[31m red", "two lines and[31m red"),
        ("a\ud800b \ue000 \u202e", "ab"),
        ("", ""),
    ],
)
def test_addresses_are_replaced_and_the_rest_is_kept(reply: str, kept: str) -> None:
    assert sanitise(reply, ADDRESS) == kept


def test_both_forms_of_an_internationalised_domain_are_found() -> None:
    assert sanitise("<jo@xn--bcher-kva.example> unknown", "jo@bücher.example") == "<recipient> unknown"
    assert sanitise("<jo@bücher.example> unknown", "jo@xn--bcher-kva.example") == "<recipient> unknown"


def test_a_quoted_local_part_is_found_without_its_quotes() -> None:
    assert sanitise("john doe@example.com unknown", '"john doe"@example.com') == "<recipient> unknown"
    assert sanitise(r'"john\ doe"@example.com unknown', '"john doe"@example.com') == "<recipient> unknown"


def test_a_person_called_recipient_changes_nothing() -> None:
    assert sanitise("<recipient@example.com> unknown", "recipient@example.com") == "<recipient> unknown"


def test_an_erased_recipient_still_leaves_no_other_address() -> None:
    assert sanitise("jo@example.com unknown", "") == "<address> unknown"


def test_a_reply_is_kept_to_300_characters() -> None:
    assert len(sanitise("no " * 10_000, ADDRESS)) <= 300
    assert len(sanitise("jo@example.com " * 10_000, ADDRESS)) <= 300


atext = st.text(st.sampled_from("abcXYZ79.!#$%&'*+-/=?^_`{|}~äß"), min_size=3, max_size=12)
domains = st.sampled_from(["example.com", "mail.example.org", "bücher.example", "EXAMPLE.net"])


@st.composite
def quotations(draw: st.DrawFn) -> tuple[str, str]:
    """An address, and a text that quotes it in one of many ways."""
    local, domain = draw(atext), draw(domains)
    quoted = draw(
        st.sampled_from(
            [
                f"{local}@{domain}",
                f"<{local}@{domain}>",
                f'"{local}"@{domain}',
                f"{local.upper()}@{domain.lower()}",
                quote(f"{local}@{domain}", safe=""),
                "".join(f"+{octet:02X}" for octet in f"{local}@{domain}".encode()),
                f"{local}={domain}",
                f"{local}@\r\n550-{domain}",
                f"{local[:2]}\r\n550 5.1.1 {local[2:]}@{domain}",
                f"{local} at {domain}",
                f"{local[:1]}\x07{local[1:]}@{domain}",
            ]
        )
    )
    before, after = (
        draw(st.sampled_from(["", "user ", "5.1.1 ", "x\r\n550-"])),
        draw(st.sampled_from(["", " no"])),
    )
    return f"{local}@{domain}", before + quoted + after


@settings(deadline=None, max_examples=500)
@given(quotations())
@example(("a%40@example.com", "a%40@example.com"))
def test_nothing_of_a_quoted_address_is_left(quotation: tuple[str, str]) -> None:
    address, reply = quotation
    kept = sanitise(reply, address)
    local = address.rpartition("@")[0]
    assert "<recipient>" in kept or "<address>" in kept
    assert unicodedata.normalize("NFC", local).casefold() not in kept.replace("<recipient>", "").casefold()


@settings(deadline=None)
@given(st.text())
def test_a_kept_reply_is_printable_short_and_can_be_stored(reply: str) -> None:
    kept = sanitise(reply, ADDRESS)
    assert len(kept) <= 300
    assert kept.isprintable()
    assert kept.encode().decode() == kept
    assert sanitise(kept, ADDRESS) == kept
