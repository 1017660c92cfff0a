"""Whatever takes text from outside takes time and memory that grow as the text does: found out by doubling it
twice, for texts that are one awkward thing over and over, and for those in which one long thing comes before
many others, or many long ones follow one another."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from domain.accounts.accounts import is_name
from domain.accounts.device_token import device
from domain.accounts.passwords import checked_password
from domain.addresses.email_address import EmailAddress, wrong_with
from domain.addresses.host_name import host_in_ascii
from domain.addresses.mailbox import Mailbox, parse_mailboxes
from domain.addresses.public_url import PublicUrl
from domain.calendar import parse_windows
from domain.campaign.content import checked_content
from domain.campaign.header_names import wrong_with_header_name
from domain.campaign.template import check_place, wrapped
from domain.delivery.reply import Stage, classify, sanitise
from mail.go_template.translation import translated
from mail.message.compose import CampaignContent, Composer, MessageRecipient
from mail.message.encoding import body, field, mailbox_field, one_line
from mail.message.headers import Headers
from mail.smtp.replies import take_reply, text_of
from mail.template.markdown import from_markdown
from mail.template.render import PartTemplate
from storage.people.personal_data import checked_attributes, checked_name
from storage.people.recipients_csv import guarded, people
from storage.subscriber_query.condition import condition
from tests.attacks.content.growth import (
    FAST,
    GROWTH,
    JSON_SHAPES,
    LONGEST_JSON,
    SMALL,
    growth_of,
    long_before_many,
    many_long,
    peak,
    repeated,
    seconds,
)
from tests.attacks.content.parsing import EXCUSED, called_by, what_parses
from web.arriving import Chunks
from web.http.identity import credentials, host_name
from web.http.shapes import Digits, instant_text
from web.http.texts import check_fields, check_json
from web.pages.accounts.sign_in import own_path
from web.pages.campaigns.campaign_form import headers_of
from web.pages.forms import seconds as form_seconds
from web.pages.forms import whole
from web.pages.people.subscriber_form import attributes_of
from web.pages.settings.settings import dates_of

pytestmark = pytest.mark.measures_growth

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
SAMPLES = 30
"""Of units that are put together at random, the same each time."""
PAIRS = 12
"""Of units of which one is long and the other often there."""

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
        *skeleton.errors_of(person, NOON),
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
    classify(550, said, Stage.EHLO)
    return sanitise(text, "jane@example.com"), classify(550, said, Stage.RCPT)


def template(text: str) -> Any:
    return PartTemplate("text", text, html=True)


def since(text: str) -> Any:
    return condition("subscribers.created_at > '" + text.replace("'", "") + "'")


def password(text: str) -> Any:
    return checked_password(text[:200], ["ada", text], lambda _: False)


PARSERS: list[tuple[Callable[[str], Any], list[str]]] = [
    (from_markdown, [*MARKS, *TAGS[:10]]),
    (translated, TAGS),
    (translated, [*LINKS, *TAGS[:4]]),
    (lambda text: translated('{{ $a := "' + text + '" }}'), ["\\n", "\\u0041", "\\x", "a", "$", "}}", "{{"]),
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
    (
        lambda text: condition("subscribers.created_at > '" + text.replace("'", "") + "'"),
        [*WORDS, "2026-03-06"],
    ),
    (rows, CELLS),
    (attributes_of, JSON),
    (lambda text: checked_attributes({"a": text, text: 1}), [*JSON, *SIGNS]),
    (checked_name, SIGNS),
    (parse_windows, ["08:00", "-", ",", ":", " ", "1"]),
    (reply, [*REPLIES, "jane", "@", "example.com", "jane@example.com", "too many messages", "%40"]),
    (check_json, JSON),
    (lambda text: check_fields(MultiDict([(text, text)]), "query"), SIGNS),
    (lambda text: wrapped(text, text), [*TAGS, "content", '{{ template "content" . }}']),
    (guarded, CELLS),
    (is_name, SIGNS),
    (lambda text: device([bytes(32)], 1, NOON, text), ["a", "0", ".", "-", "=", "é"]),
    (password, [*SIGNS, "ada", "4d4"]),
    (Digits().read, ["1", "9" * 9, ".", ".0", "-", "٣"]),
    (instant_text, ["2026-03-06", "T", "08:00", "Z", "+", "1", "."]),
    (whole, ["1", ",", " ", "-", "x"]),
    (form_seconds, ["1", "d", "s", " ", "m"]),
    (dates_of, ["2026-03-06", ",", ";", " ", "\n", "x"]),
    (own_path, [*LINKS, "/", "\\", "//"]),
    (host_name, SIGNS),
    (credentials, ["Basic ", "Bearer ", "token ", ":", "YTpi", "=", " "]),
    (lambda text: Chunks(0).is_complete(bytearray(text, "utf-8")), ["0", "1", "f", "\r\n", ";", "x", "a=b"]),
    (lambda text: template("{{ '" + text.replace("'", "") + "'|format(1) }}"), TAGS),
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
            growth = growth_of(seconds(parse), text, FAST)
            if growth > GROWTH:
                slow.append((unit, before, after, round(growth, 1)))
    assert slow == []


@pytest.mark.parametrize(("parse", "alphabet"), PARSERS, ids=[f"{n}" for n, _ in enumerate(PARSERS)])
def test_what_is_long_and_what_is_often_there_do_not_multiply(
    parse: Callable[[str], Any], alphabet: list[str]
) -> None:
    chance = random.Random(8)
    found = []
    for _ in range(PAIRS):
        name, unit, between = ("".join(chance.choices(alphabet, k=chance.randint(1, 3))) for _ in range(3))
        for shape in (long_before_many, many_long):
            text = partial(shape, chance.choice([name, "x"]), between, unit)
            growth = max(
                growth_of(seconds(parse), text, FAST), growth_of(peak(parse), text, SMALL)
            )  # fmt: skip
            if growth > GROWTH:
                found.append((shape.__name__, text.args, round(growth, 1)))
    assert found == []


@pytest.mark.parametrize("shape", JSON_SHAPES)
@pytest.mark.parametrize("parse", [check_json, attributes_of])
def test_no_shape_of_json_multiplies_what_it_takes(parse: Callable[[str], Any], shape: str) -> None:
    text = JSON_SHAPES[shape]
    assert growth_of(peak(parse), text, SMALL) <= GROWTH
    assert growth_of(seconds(parse), text, FAST, LONGEST_JSON) <= GROWTH


def test_whatever_parses_is_measured_or_excused() -> None:
    chance = random.Random(9)
    reached: set[str] = set()
    for parse, alphabet in PARSERS:
        units = [*alphabet, *("".join(chance.choices(alphabet, k=3)) for _ in range(SAMPLES))]
        texts = [*units, *(unit * 30 for unit in units), *(shape(400) for shape in JSON_SHAPES.values())]
        reached |= called_by(seconds(parse), texts)
    parsing = what_parses()
    assert sorted(parsing - reached - set(EXCUSED)) == [], "add it to PARSERS, or say why not in EXCUSED"
    assert sorted(set(EXCUSED) - parsing) == [], "these parse nothing any more"


@pytest.mark.parametrize(
    ("once", "unit"),
    [(r"\{\{.*?\}\}", "{{"), (r"""(https?://[^\s"'<>{}]+)@TrackLink""", "http://")],
)
def test_the_measure_tells_what_was_quadratic(once: str, unit: str) -> None:
    pattern = re.compile(once, re.DOTALL)
    assert growth_of(seconds(lambda text: pattern.sub("", text)), partial(repeated, unit), FAST) > GROWTH


def test_the_measure_tells_what_multiplied() -> None:
    def names(text: str) -> list[str]:
        return [
            f"{name}.{number}" for name, many in json.loads(text).items() for number, _ in enumerate(many)
        ]

    assert growth_of(peak(names), JSON_SHAPES["a long name over many wrong"], SMALL) > GROWTH
