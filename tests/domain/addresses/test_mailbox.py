"""What a From address may be: whatever is accepted reads the same to other programs, and goes on the wire."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import SMTP, compat32

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.addresses.host_name import AddressError
from domain.addresses.mailbox import LONGEST, MOST, Mailbox, parse_mailbox, parse_mailboxes
from domain.errors import Refused
from mail.message.encoding import mailbox_field, mailboxes_field

names = st.text(max_size=60) | st.text('aé "\\(),.:;<>@[]=?_\t', max_size=60)
locals_ = st.text("abz019.!#+-_äé ", max_size=70)
domains = st.text("ab0-._äßéＡ。", max_size=40) | st.sampled_from(
    ["example.com", "bücher.example", "localhost"]
)
addresses = st.builds("{}@{}".format, locals_, domains)
lines = (
    st.builds("{} <{}>".format, names, addresses)
    | st.builds('"{}" <{}>'.format, names, addresses)
    | addresses
    | st.text(max_size=80)
)


def accepted(line: str) -> Mailbox | None:
    with contextlib.suppress(Refused):
        return parse_mailbox(line, "from_email")
    return None


@given(lines)
@example("News <news@example.com>")
@example('"Doe, Jane" <jane@bücher.example>')
@example('Dr. Jane "J. D." Doe <jane@example.com>')
@example("日本語 のニュース レター を お届け します 毎週 金曜日 の 朝 に <news@例え.jp>")
@example('"=?utf-8?q?x?=" <a@example.com>')
def test_what_is_accepted_is_written_as_others_read_it(line: str) -> None:
    mailbox = accepted(line)
    if mailbox is None:
        return
    wire = mailbox_field("From", mailbox.display, str(mailbox.address)).encode("ascii") + b"\r\n"
    (address,) = message_from_bytes(wire, policy=SMTP)["From"].addresses
    assert (address.username, address.domain) == mailbox.address
    assert not message_from_bytes(wire, policy=SMTP)["From"].defects
    if mailbox.display.isascii():
        assert address.display_name == mailbox.display
    else:  # the library's parser of addresses changes the spaces in encoded words, its older reader does not
        written = message_from_bytes(wire, policy=compat32)["From"].rpartition("<")[0].strip()
        assert str(make_header(decode_header(written))) == mailbox.display
    assert max(map(len, wire.split(b"\r\n"))) <= 998


@given(st.lists(lines, min_size=1, max_size=4))
@example(['"a, b" <a@example.com>', "c@example.com"])
def test_a_list_that_is_accepted_is_that_of_its_mailboxes(parts: list[str]) -> None:
    mailboxes = [accepted(part) for part in parts]
    if None in mailboxes or "\t" in "".join(parts):
        return
    assert parse_mailboxes(",".join(parts)) == mailboxes
    wire = mailboxes_field("Reply-To", [one for one in mailboxes if one]) + "\r\n"
    read = message_from_bytes(wire.encode("ascii"), policy=SMTP)["Reply-To"].addresses
    assert [(one.username, one.domain) for one in read] == [one.address for one in mailboxes if one]


@pytest.mark.parametrize(
    "hostile",
    [
        "(" * 300,
        "a@example.com\x00",
        "=?utf-8?q?a=0D=0ABcc:_x?= <n@x>",
        "a =?x?= <n@x>",
        ".. <n@x>",
        "a " * 10_000,
        "a@[1.2.3.4",
        "a@[1.2.3.4]",
        "news@my_host.example.com",
        "jörg@example.com",
        '"a b"@example.com',
        '"' * 319,
        "<" * 319,
        '"\\' * 150,
        "a@b\u2028.c",
        "a\ud800@example.com",
        "@",
        "<>",
        "",
        "a <@x:b@example.com>",
        "a@" + "ä" * 300,
    ],
)
def test_what_cannot_be_sent_from_is_a_clear_error_of_the_field(hostile: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_mailbox(hostile, "from_email")
    assert refused.value.field == "from_email"
    assert len(str(refused.value)) < 2 * LONGEST + 200


@pytest.mark.parametrize("value", [None, 5, b"a@example.com", ["a@example.com"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(Refused, match="not a text"):
        parse_mailbox(value, "from_email")


@pytest.mark.parametrize("line", ["", "a@b.example,", ",a@b.example", 'a@b.example,"b', "a <b@c.d, e@f.g>"])
def test_a_list_with_something_else_in_it_is_refused(line: str) -> None:
    with pytest.raises(AddressError):
        parse_mailboxes(line)


def test_a_list_is_not_endless() -> None:
    assert len(parse_mailboxes(",".join(["a@example.com"] * MOST))) == MOST
    with pytest.raises(AddressError, match=f"at most {MOST}"):
        parse_mailboxes(",".join(["a@example.com"] * (MOST + 1)))


@pytest.mark.parametrize("unit", ["a ", "(", '"a" ', "\\", '"\\', "a@", "<", "a.", "ä", ".", "a@b.c, ", "=?"])
@pytest.mark.parametrize("read", [Mailbox.parse, parse_mailboxes])
def test_twice_as_long_a_text_takes_no_more_than_twice_the_time(
    unit: str, read: Callable[[str], object]
) -> None:
    """Within the bounds, and beyond them."""
    for length in (LONGEST // 2, MOST * LONGEST // 2, 400_000):
        once, twice = unit * (length // len(unit)), unit * (2 * length // len(unit))
        assert least(read, twice) < 6 * least(read, once) + 0.001


def least(read: Callable[[str], object], text: str) -> float:
    """Seconds of work of the quickest of some runs, whatever else the machine does."""
    found = float("inf")
    for _ in range(7):
        begun = time.thread_time()
        with contextlib.suppress(AddressError):
            read(text)
        found = min(found, time.thread_time() - begun)
    return found
