"""Whatever takes text from outside takes time that grows as the text does: found out by doubling it
twice, for texts that are one awkward thing over and over."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from math import inf
from time import thread_time
from typing import Any

import pytest

from domain.addresses.email_address import EmailAddress, wrong_with
from domain.addresses.host_name import host_in_ascii
from domain.addresses.mailbox import Mailbox, parse_mailboxes
from domain.addresses.public_url import PublicUrl
from domain.calendar import parse_windows
from domain.campaign.content import checked_content
from domain.campaign.header_names import wrong_with_header_name
from domain.campaign.template import check_place
from domain.delivery.reply import Stage, classify, sanitise
from domain.errors import Refused
from mail.go_template.expressions import GoTemplateError
from mail.go_template.translation import translated
from mail.message.compose import CampaignContent, Composer, MessageRecipient
from mail.message.encoding import body, field, mailbox_field, one_line
from mail.message.headers import Headers
from mail.smtp.replies import ReplyError, take_reply, text_of
from mail.template.markdown import from_markdown
from mail.template.render import MessageError, PartTemplate
from storage.people.personal_data import checked_attributes, checked_name
from storage.people.recipients_csv import people
from storage.subscriber_query.condition import condition
from web.pages.campaigns.campaign_form import headers_of
from web.pages.people.subscriber_form import attributes_of

LONGEST = 16_000
FAST = 0.02
"""Seconds of processor time. What takes no longer for the longest text is not measured again."""
GROWTH = 9.0
"""Of the time for a text of four times the length: 4 where it is linear, 16 where it is quadratic."""
SAMPLES = 30
"""Of units that are put together at random, the same each time."""

TAGS = [
    *"{{ }} {% %} {# #} {{- -}} {{/* */}} { } {{{{ | ( ) . $ := ,".split(),
    *"\" ' ` \\ if else end range with not raw x .A 1".split(),
]
LINKS = [*"http:// https:// @TrackLink / : ? & = < > [ ] ( ) ! a".split(), " "]
MARKS = [
    *"* _ ` ``` ~ ~~ [ ] ( ) ! < > # - + 1. | : \\ & &# ; = <!-- --> <? <a <div>".split(),
    "\n",
    "\n\n",
    "    ",
]
SIGNS = [
    *"@ . , ; : < > ( ) [ ] \" \\ ' =? ?= é ß ａ 。 - _ xn-- % a 1 :: /".split(),
    " ",
    "\t",
    "\r\n",
    "\0",
]
WORDS = [
    *"subscribers.name attribs -> ->> ' \" ( ) and or not = > < :: int text".split(),
    *"% _ -- /* */ $$ E' , 1 1e9 [ ] is null in like".split(),
]
JSON = '{ } [ ] : , " \\ \\u0000 \\ud800 1 1e9 - . null true {"a": [1,'.split()
CELLS = ['"', '""', ",", ";", "\n", "\r\n", "\r", "a@example.com", "'", "\\", "{", "\0", " ", "é"]
REPLIES = [
    *'250- 250 550 5.1.1 <a@example.com> a@b % = +40 + @ ( ) < > é \\ " \0'.split(),
    " ",
    "\n",
    "\r\n",
    "x",
]


def composed(text: str) -> Any:
    """All that a person's name and data come into."""
    content = CampaignContent(
        7,
        "00000007-0001-8000-8000-000000000000",
        "Spring",
        "{{ subscriber.name }}",
        "{{ subscriber.name }} {{ subscriber.attributes.a }}",
        "{{ subscriber.attributes.a|upper }}",
        [("Reply-To", "{{ subscriber.name }} <r@x>"), ("X-Note", "{{ subscriber.attributes.a }}")],
    )
    skeleton = Composer(content, "https://post.example.com", bytes(32)).for_server("news@example.com")
    person = MessageRecipient(1, "u", "a@example.com", text, {"a": text})
    return [
        *skeleton.errors_of(person, datetime(2026, 3, 6, tzinfo=UTC)),
        mailbox_field("To", text, "a@b.cc"),
    ]


def campaign_of(text: str) -> Any:
    return checked_content({"name": text, "subject": text, "lists": [1], "text": "0" * 64, "tags": [text],
                            "headers": [(text, text)], "attributes": {text: text}})  # fmt: skip


def rows(text: str) -> Any:
    for delimiter in ",;":
        list(people(io.BytesIO(f"email,name,attributes\n{text}".encode()), lambda _: None, delimiter))
    return list(people(io.BytesIO(text.encode()), lambda _: None, others=True))


def reply(text: str) -> Any:
    taken = take_reply(text.encode())
    said = text_of(taken[1]) if taken else text
    return sanitise(text, "jane@example.com"), classify(550, said, Stage.RCPT)


def template(text: str) -> Any:
    return PartTemplate("text", text, html=True)


PARSERS: list[tuple[Callable[[str], Any], list[str]]] = [
    (from_markdown, [*MARKS, *TAGS[:10]]),
    (translated, TAGS),
    (translated, [*LINKS, *TAGS[:4]]),
    (template, TAGS),
    (lambda text: template("{{ x " + text), TAGS),
    (check_place, [*TAGS, "content", 'template "content"']),
    (EmailAddress.parse, SIGNS),
    (wrong_with, SIGNS),
    (host_in_ascii, SIGNS),
    (Mailbox.parse, SIGNS),
    (parse_mailboxes, SIGNS),
    (PublicUrl.parse, [*SIGNS, *LINKS]),
    (wrong_with_header_name, SIGNS),
    (one_line, SIGNS),
    (lambda text: field("Subject", text), SIGNS),
    (lambda text: body(text, "=_boundary"), [*SIGNS, "\n.", "=_boundary", "x" * 60]),
    (lambda text: Headers([("Reply-To", text)]), SIGNS),
    (lambda text: Headers([("X-Note", text)]), [*SIGNS, *TAGS]),
    (composed, SIGNS),
    (campaign_of, SIGNS),
    (headers_of, SIGNS),
    (condition, WORDS),
    (rows, CELLS),
    (attributes_of, JSON),
    (lambda text: checked_attributes({"a": text, text: 1}), [*JSON, *SIGNS]),
    (checked_name, SIGNS),
    (parse_windows, ["08:00", "-", ",", ":", " ", "1"]),
    (reply, REPLIES),
]


@pytest.mark.parametrize(("parse", "alphabet"), PARSERS, ids=[f"{n}" for n, _ in enumerate(PARSERS)])
def test_four_times_the_text_takes_about_four_times_as_long(
    parse: Callable[[str], Any], alphabet: list[str]
) -> None:
    chance = random.Random(7)
    units = [*alphabet, *("".join(chance.choices(alphabet, k=chance.randint(2, 6))) for _ in range(SAMPLES))]
    slow = []
    for unit in units:
        before, after = chance.choice(["", *alphabet]), chance.choice(["", *alphabet])
        for text in (lambda size, u=unit: u * (size // len(u)),
                     lambda size, u=unit, b=before, a=after: b + u * (size // len(u)) + a):  # fmt: skip
            growth = growth_of(parse, text)
            if growth > GROWTH:
                slow.append((unit, before, after, round(growth, 1)))
    assert slow == []


def growth_of(parse: Callable[[str], Any], text: Callable[[int], str]) -> float:
    """How many times longer the longest text takes than one of a quarter of it; 1 when it takes no time."""
    whole, quarter = text(LONGEST), text(LONGEST // 4)
    if seconds(parse, whole) < FAST:
        return 1.0
    # What is seen once on a busy machine may be the machine.
    growth = inf
    for _ in range(5):
        growth = min(growth, seconds(parse, whole) / max(seconds(parse, quarter), 1e-6))
        if growth <= GROWTH:
            break
    return growth


def seconds(parse: Callable[[str], Any], text: str) -> float:
    began = thread_time()
    with suppress(MessageError, GoTemplateError, ReplyError, Refused, ValueError):
        parse(text)
    return thread_time() - began


@pytest.mark.parametrize(
    ("once", "unit"),
    [(r"\{\{.*?\}\}", "{{"), (r"""(https?://[^\s"'<>{}]+)@TrackLink""", "http://")],
)
def test_the_measure_tells_what_was_quadratic(once: str, unit: str) -> None:
    pattern = re.compile(once, re.DOTALL)
    assert growth_of(lambda text: pattern.sub("", text), lambda size: unit * (size // len(unit))) > GROWTH
