"""Where links in e-mails lead: whatever is accepted makes links that others read as the same address."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.addresses.public_url import PublicUrl, parse_public_url
from domain.errors import Refused
from domain.policy import SendingPolicy
from mail.message.compose import CampaignContent, Composer, MessageRecipient

CAMPAIGN = CampaignContent(1, "00000001-0001-8000-8000-000000000000", "News", "News", "Hello", None)
READER = MessageRecipient(7, "c0ffee00-0000-4000-8000-000000000000", "jane@example.net", "Jane", {})

urls = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https", "HTTPS", "Http", "ftp", ""]),
    st.text("aZ0-._äß@:[]<> \t", max_size=30)
    | st.sampled_from(["post.example.com", "[::1]", "Bücher.example", "127.0.0.1", "my_host", "localhost"]),
    st.sampled_from(["", ":8025", ":0", ":65535", ":65536", ":x"]),
    st.text("/aZ0.~-_%?#\\", max_size=20),
) | st.text(max_size=40)


@given(urls)
@example("HTTPS://Post.Example.com/")
@example("https://post.example.com/" + "a" * 175)
@example("http://[2001:DB8::1]:8025/post//")
@example("https://bücher.example/a%20b")
def test_what_the_policy_accepts_is_where_the_links_of_its_messages_lead(text: str) -> None:
    try:
        fact = SendingPolicy().change({"public_address": text}, by="test")
    except Refused:
        return
    policy = SendingPolicy().apply(fact) if fact else SendingPolicy()
    if not policy.public_address:
        return
    skeleton = Composer(CAMPAIGN, policy.public_address, bytes(32)).for_server("news@example.com")
    message = message_from_bytes(skeleton.message(READER, datetime(2026, 3, 6, tzinfo=UTC)), policy=SMTP)
    assert not message.defects
    link = urlsplit(message["List-Unsubscribe"].strip("<>"))
    meant = PublicUrl.parse(text.strip())
    assert (link.scheme, link.hostname, link.port) == (meant.scheme, meant.host, meant.port)
    assert link.path.startswith(f"{meant.path}/unsubscribe/")
    assert (link.query, link.fragment, link.username) == ("", "", None)


@given(urls)
def test_what_is_kept_is_accepted_again_as_it_is(text: str) -> None:
    try:
        kept = str(parse_public_url(text, "public_url"))
    except Refused:
        return
    assert kept.isascii()
    assert str(parse_public_url(kept, "public_url")) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("HTTPS://Post.Example.com/Sub/", "https://post.example.com/Sub"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[0:0::1]:8025", "http://[::1]:8025"),
    ],
)
def test_one_address_is_kept_in_one_way(given: str, kept: str) -> None:
    assert str(parse_public_url(given, "public_url")) == kept


@pytest.mark.parametrize(
    "hostile",
    [
        "", "post.example.com", "https://", "https://a b", "https://a.example/\r\nBcc: x", "https://a.example?x",
        "https://me:secret@a.example", "https://a.example:0", "https://a.example:99999", "https://[1.2.3.4",
        "https://[::g]", "http://a..b", "https://a.example/%zz", "https://a.example/>",
        "https://" + "a" * 999,
        "https://a.example/" + "%" * 100, "javascript:alert(1)", "https://\x00", "https://a.example\\@b.example",
    ],
)  # fmt: skip
def test_what_no_link_can_lead_to_is_a_clear_error_of_the_field(hostile: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_public_url(hostile, "public_url")
    assert refused.value.field == "public_url"
    assert len(str(refused.value)) < 200
