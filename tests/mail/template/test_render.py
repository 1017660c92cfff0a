from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mail.template.render import PartTemplate, TemplateError, names_for

NAMES = names_for(
    {
        "email": "jane@example.net",
        "name": "Jane <Doe>",
        "attributes": {
            "city": "Oslo",
            "items": 3,
            "nothing": None,
            "tags": ["a&b", "c"],
            "plan": {"level": {"name": "gold"}},
            "first pet": "Rex",
        },
    },
    {"name": "Spring"},
    unsubscribe_url="https://mail.example.com/unsubscribe/x",
    today=date(2026, 3, 6),
)


def render(source: str, *, html: bool = False) -> str:
    return PartTemplate("text", source, html=html).render(NAMES)


def error_of(source: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ subscriber.name }} of {{ subscriber.attributes.city }}\n", "Hi Jane <Doe> of Oslo\n"),
        ("{{ subscriber.attributes.plan.level.name }}", "gold"),
        ("{{ subscriber.attributes['first pet'] }}", "Rex"),
        ("{{ subscriber.attributes.items }}", "3"),
        ("[{{ subscriber.attributes.nothing }}]", "[]"),
        ("{{ subscriber.attributes.town|default('your town') }}", "your town"),
        ("{% if subscriber.attributes.town is defined %}a{% else %}b{% endif %}", "b"),
        ("{% for tag in subscriber.attributes.tags %}{{ loop.index }}{{ tag }} {% endfor %}", "1a&b 2c "),
        ("{{ subscriber.attributes.tags|join(', ') }}", "a&b, c"),
        ("{{ subscriber.name.upper() ~ '!' }}", "JANE <DOE>!"),
        ("{{ '%.2f'|format(3.14159) }} {{ '%05d' % 42 }}", "3.14 00042"),
        (
            "{% set n = namespace(x=0) %}{% for i in range(5) %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}",
            "10",
        ),
        ("{% for label, url in [('a', 1), ('b', 2)] %}{{ label }}={{ url }};{% endfor %}", "a=1;b=2;"),
        ("{% set x %}{{ subscriber.name }}{% endset %}{{ x|lower }}", "jane <doe>"),
        ("{% with x = 2 %}{{ x ** 5 }}{% endwith %}", "32"),
        ("{{ [3, 1, 2]|sort|first }} {{ range(4)|sum }} {{ 2.567|round(1) }}", "1 6 2.6"),
        ("{{ today }} {{ today.year }}", "2026-03-06 2026"),
        ("{{ campaign.name }} {{ unsubscribe_url }}", "Spring https://mail.example.com/unsubscribe/x"),
        ("{{ 'Doe' in subscriber.name }} {{ subscriber.name[:4] }}", "True Jane"),
    ],
)
def test_a_template_says_what_its_author_meant(source: str, text: str) -> None:
    assert render(source) == text


def test_html_escapes_what_is_put_in_and_text_does_not() -> None:
    source = (
        "{{ subscriber.name ~ '<b>' }} {{ subscriber.attributes.tags|join('<br>'|safe) }}{{ '<hr>'|safe }}"
    )
    assert render(source, html=True) == "Jane &lt;Doe&gt;&lt;b&gt; a&amp;b<br>c<hr>"
    assert render(source) == "Jane <Doe><b> a&b<br>c<hr>"


def test_a_source_without_tags_is_fixed_and_untouched() -> None:
    template = PartTemplate("text", "no { tags } here\n\n")
    assert template.is_fixed
    assert template.render({}) == "no { tags } here\n\n"


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("a\nb {{ subscriber.attributes.town }}", 2, "there is no 'town'"),
        ("{{ subscriber.nmae }}", 1, "there is no 'nmae'"),
        ("\n\n{{ subscribr.name }}", 3, "'subscribr' is not defined"),
        ("\n{{ subscriber.name", 2, "unexpected end of template"),
        ("\n{% if 1 %}{{ 1|nosuch }}{% endif %}", 2, "the filter 'nosuch' is not offered"),
        ("\n{{ subscriber.attributes }}", 2, "a list or mapping cannot be printed"),
        ("\n\n{{ 1 / 0 }}", 3, "it divides by zero"),
        ("{{ 'a' + 1 }}", 1, "a value is of a kind that cannot be used like this"),
    ],
)
def test_an_error_names_the_part_the_line_and_the_reason(source: str, line: int, reason: str) -> None:
    error = error_of(source)
    assert (error.part, error.line) == ("text", line)
    assert error.reason.startswith(reason)
    assert str(error) == f"text, line {line}: {error.reason}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ subscriber.attributes[subscriber.name] }}",
        "{{ subscriber[subscriber.name].x }}",
        "{{ subscriber.name|round }}",
        "{{ subscriber.name * subscriber.name }}",
        "{{ [subscriber]|map(attribute=subscriber.name)|first }}",
        "{{ subscriber.name % (1, 2) }}",
        "{{ subscriber.name['x'](subscriber.name) }}",
    ],
)
def test_an_error_never_quotes_a_person(source: str) -> None:
    error = error_of(source)
    assert "Jane" not in str(error)
    assert "Doe" not in str(error)
    assert error.__suppress_context__


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ subscriber.__class__ }}",
        "{{ subscriber['__class__'] }}",
        "{{ subscriber['__cl' ~ 'ass__'] }}",
        "{{ subscriber.attributes.tags.append('x') }}",
        "{{ subscriber.clear() }}",
        "{{ range.__self__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ namespace(x=1)._Namespace__attrs }}",
        "{% for i in [1] %}{{ loop._iterable }}{% endfor %}",
        "{% for i in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ subscriber|map(attribute='__class__')|first }}",
        "{{ [today]|map(attribute='__class__')|first }}",
        "{{ subscriber.name|attr('__class__') }}",
        "{{ self._TemplateReference__context }}",
        "{{ lipsum.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% from 'os' import path %}",
        "{% extends 'base.html' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for x in subscriber.attributes.tags recursive %}{{ loop(x) }}{% endfor %}",
        "{% autoescape false %}{{ subscriber.name }}{% endautoescape %}",
        "{{ today.strftime('%9999999d') }}",
    ],
)
def test_a_template_reaches_nothing_but_its_names(source: str) -> None:
    error_of(source)


def test_what_a_template_was_given_is_unchanged_after_it() -> None:
    attributes: dict[str, Any] = {"tags": [1, 2]}
    names = names_for({"attributes": attributes}, {})
    source = "{% set tags = subscriber.attributes.tags + [3] %}{{ tags|join }}{{ tags|sort|first * 0 }}"
    assert PartTemplate("text", source).render(names) == "1230"
    assert attributes == {"tags": [1, 2]}
