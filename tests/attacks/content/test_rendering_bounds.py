"""No expression of a template takes long or much memory, whatever it is about: each pays before it is done.
What is asked here took seconds or gigabytes once, or is a neighbour of what did."""

from __future__ import annotations

import tracemalloc
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mail.template.filters import _DIRECTIVE
from mail.template.render import PartTemplate, TemplateError, names_for

pytestmark = pytest.mark.measures_growth

SECONDS = 1.5
"""Of processor time. Most take a hundredth of that."""
MEGABYTES = 150

LONG = "{% set x = 'a' * 900000 %}"
MANY = "([x] * 9000)"
EACH = "{% for i in range(1000) %}{% for j in range(1000) %}"
DONE = "{% endfor %}{% endfor %}"
ATTRIBUTES = {
    "tags": ["a"] * 2000,
    "long": "y" * 60_000,
    "many": {str(number): number for number in range(1000)},
}
NAMES = names_for({"name": "x" * 500, "attributes": ATTRIBUTES}, {})

NUMBERS = [
    "{{ ('f' * 900000)|int(0, 16) % 7 }}",
    "{{ ('f' * 900000)|int(0, 16) // 7 }}",
    "{{ ('f' * 900000)|int(0, 16) is divisibleby 7 }}",
    "{{ ('f' * 900000)|int(0, 16) - 1 }}",
    "{{ ('9' * 900000)|int }}",
    "{{ ('9' * 900000)|float }}",
    "{{ 0x" + "f" * 900_000 + " % 7 }}",
    "{{ " + "9" * 900_000 + " }}",
    "{{ 1" + "0" * 400 + " // 7 }}",
    "{{ " + "1_" * 400_000 + "1 }}",
    "{% set x = 2 ** 500 %}" + "{% set x = x + x %}" * 2000 + "{{ x // 3 }}",
    "{{ ([2 ** 1000] * 10000)|sum }}",
    EACH + "{{ '%99.99f' % 1e308 }}" + DONE,
    EACH + "{{ 2 ** 1000 % 3 }}" + DONE,
    "{{ ('%' ~ '0' * 9000) % 1 }}",
    "{{ ('%' ~ '0' * 4500 ~ '.' ~ '0' * 4500) % 1 }}",
]
TEXTS = [
    LONG + "{{ x.strip(x) }}",
    LONG + "{{ x|trim(x) }}",
    LONG + "{{ x.strip('bcdef' * 19) }}",
    LONG + EACH + "{{ x is lower }}" + DONE,
    LONG + EACH + "{{ x.count('b') }}" + DONE,
    LONG + EACH + "{{ x.isalpha() }}" + DONE,
    LONG + EACH + "{{ x.split('a')|length }}" + DONE,
    LONG + EACH + "{{ x|upper|length }}" + DONE,
    LONG + EACH + "{{ x == x ~ 'b' }}" + DONE,
    "{{ ('a ' * 4000000).split()|length }}",
    "{{ ('a ' * 4000000)|wordcount }}",
    "{{ ('a-' * 400000)|title|length }}",
    "{{ ('<' * 900000)|e|length }}",
    "{{ ('a' * 900000)|urlencode|length }}",
    "{{ ('a' * 3000000)|replace('', 'bbb')|length }}",
    "{{ ('a' * 1000000 ~ 'b') in ('a' * 2000000) }}",
    "{% for c in 'a' * 9000000 %}{{ loop.length }}{% endfor %}",
]
LISTS = [
    LONG + "{{ " + MANY + "|sort|length }}",
    LONG + "{{ " + MANY + "|sort(case_sensitive=true)|length }}",
    LONG + "{{ " + MANY + "|unique|list|length }}",
    LONG + "{{ " + MANY + "|max }}",
    LONG + "{{ " + MANY + "|string|length }}",
    LONG + "{{ " + MANY + "|select('lower')|list|length }}",
    LONG + "{% set y = x ~ '' %}{{ " + MANY + "|select('eq', y)|list|length }}",
    LONG + "{% set y = x ~ '' %}{{ " + MANY + "|select('in', [y])|list|length }}",
    LONG + "{% set y = x ~ '' %}{{ y in " + MANY + "|select }}",
    LONG + "{% set y = x ~ '' %}{{ [x] * 9000 == [y] * 9000 }}",
    "{{ ('a' * 9000000)|list|length }}",
    "{{ ('ab' * 4000000)|unique|list|length }}",
    "{{ ('ab' * 400000)|sort|length }}",
    "{{ ([subscriber.attributes.long] * 9000)|sort|length }}",
    "{{ ([subscriber.attributes.long] * 9000)|join }}",
    "{{ subscriber.attributes.tags|sort(attribute='a.' * 400000) }}",
    "{{ subscriber.attributes.tags|map(attribute='a.' * 400000, default=subscriber.attributes)|list }}",
    EACH + "{{ subscriber.attributes.many == subscriber.attributes.many }}" + DONE,
    EACH + "{{ 'z' in subscriber.attributes.tags }}" + DONE,
    EACH + "{{ 'z' in subscriber.attributes.many.values() }}" + DONE,
    EACH + "{{ subscriber.attributes.many.keys() - subscriber.attributes.many.keys() }}" + DONE,
    EACH + "{{ subscriber.attributes.many|dictsort|length }}" + DONE,
    EACH + "{{ subscriber.attributes.tags|select|reject|select|reject|list|length }}" + DONE,
    EACH + "{{ loop.changed(subscriber.attributes.long ~ 'x') }}" + DONE,
]
FORMATS = [
    "{{ ('%%' * 3000000) % 1 }}",
    "{{ ('%%' * 2200000)|format }}",
    "{% set x = '%c' * 2000000 %}{{ x % 1 }}",
    "{{ ('%' ~ '0' * 100000) % 1 }}",
    "{{ ('%%' * 2200000)|go_printf }}",
]
ARGUMENTS = [
    "{% for i in [1] %}{{ loop.cycle(*('a' * 4500000)) }}{% endfor %}",
    "{% for i in [1] %}{{ loop.changed(*('a' * 4500000)) }}{% endfor %}",
    "{{ 'a'|format(*('a' * 4500000)) }}",
    "{{ 'a' is eq(*('a' * 4500000)) }}",
    "{{ ('ab,' * 1400000).split(sep=',')|length }}",
    "{{ (('ab,' * 500000)|safe).split(sep=',')|length }}",
    "{{ (('ab,' * 500000)|safe).split(maxsplit=-1, sep=',')|length }}",
]
MAPPING = "{" + ",".join(f"'{number}': x" for number in range(2000)) + "}"
VIEWS = [
    LONG + "{{ " + MAPPING + ".items()|urlencode|length }}",
    LONG + "{{ " + MAPPING + "|items|urlencode|length }}",
    LONG + "{{ " + MAPPING + ".values()|sort|length }}",
    LONG + "{{ " + MAPPING + ".values()|unique|list|length }}",
    LONG + "{{ " + MAPPING + ".values()|max }}",
    LONG + "{{ " + MAPPING + ".values()|select('lower')|list|length }}",
]
SOURCES = [
    "{{ " + " + ".join(["1"] * 200_000) + " }}",
    "{{ a }}" * 200_000,
    "{% if x %}" * 100_000,
    "{{ '" + "\\'" * 400_000 + " }}",
    "{{ " + "'" * 400_001 + " }}",
    "{{ " + "(" * 900_000 + " }}",
    "{{ x" + ".a" * 400_000 + " }}",
    "{{ x" + "|lower" * 100_000 + " }}",
    "{{ [" + "1," * 400_000 + "] }}",
    "{% raw %}" + "{% endraw " * 90_000,
    (" " * 1000 + "{%- if 1 %}{% endif %}") * 900,
    "{{ .A|" * 100_000,
    ('{{ Date "' + "January " * 130 + '" }}') * 900,
]


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(
    "source",
    [*NUMBERS, *TEXTS, *FORMATS, *ARGUMENTS, *LISTS, *VIEWS, *SOURCES],
    ids=lambda source: source[-60:],
)
def test_an_expression_takes_little_time(source: str, html: bool) -> None:
    started = thread_time()
    try:
        PartTemplate("text", source, html=html).render(NAMES)
    except TemplateError as error:
        assert "fails with" not in error.reason  # noqa: PT017
    assert thread_time() - started < SECONDS


@pytest.mark.parametrize("source", [*FORMATS, *ARGUMENTS], ids=lambda source: source[-60:])
def test_what_would_be_taken_apart_before_it_is_paid_for_is_refused(source: str) -> None:
    with pytest.raises(TemplateError, match=r"a format has|one by one|a list is longer"):
        PartTemplate("text", source, html=True).render(NAMES)


@pytest.mark.parametrize(
    "source",
    [*TEXTS[8:], *FORMATS, *ARGUMENTS, *VIEWS, *LISTS[:13]],
    ids=lambda source: source[-60:],
)
def test_an_expression_takes_little_memory(source: str) -> None:
    tracemalloc.start()
    try:
        PartTemplate("text", source, html=True).render(NAMES)
    except TemplateError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MEGABYTES * 1_000_000


NUMBER = some.integers(1, 10**6).map(str)
PRECISION = some.just("") | some.just("*") | some.text("0123456789", min_size=1, max_size=6)


@given(
    some.text("#0 +-", max_size=6),
    some.just("") | some.just("*") | NUMBER,
    some.none() | PRECISION,
    some.sampled_from(["", *"hlL"]),
    some.sampled_from("diouxXeEfFgGcrsa%"),
)
def test_width_and_precision_of_a_format_are_what_was_written(
    flags: str, width: str, precision: str | None, size: str, conversion: str
) -> None:
    written = f"%{flags}{width}{'' if precision is None else '.' + precision}{size}{conversion}"
    found = _DIRECTIVE.match(written + "00")
    assert found is not None
    assert (found[0], found[1], found[2]) == (written, width, precision)


@given(some.text("%#0 +-.12hlLdsxfca(z*", max_size=8), some.integers(0, 4))
def test_no_format_makes_more_than_what_was_found_of_it(pattern: str, count: int) -> None:
    """Whatever Python takes for a directive, we have found, with its width."""
    found = [directive.groups(default="") for directive in _DIRECTIVE.finditer(pattern)]
    if any(named or "*" in (width, precision) for width, precision, named in found):
        return
    try:
        made = pattern % ((1,) * count)
    except (TypeError, ValueError):
        return
    sizes = [int(width or 0) + int(precision or 6) + 10 for width, precision, _ in found]
    assert len(made) <= len(pattern) + sum(sizes)
