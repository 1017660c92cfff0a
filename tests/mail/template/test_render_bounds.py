"""A template cannot use up the machine, whatever its author wrote."""

from __future__ import annotations

import tracemalloc
from itertools import count
from time import monotonic, thread_time

import pytest

from mail.template import bounds
from mail.template.render import PartTemplate, RenderLimits, TemplateError, names_for

LONG_NAME = "x" * 1000
NAMES = names_for({"name": LONG_NAME, "attributes": {"tags": ["a"] * 2000}}, {})


def reason_for(source: str, limits: RenderLimits) -> str:
    with pytest.raises(TemplateError) as caught:
        PartTemplate("html", source, html=True, limits=limits).render(NAMES)
    return caught.value.reason


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10**9 }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 1000000000 * 'x' }}",
        "{{ 'x' * subscriber.name|length ** 3 }}",
        "{{ [1] * 1000000000 }}",
        "{{ ['x'] * 1000000000 }}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{{ 10.0 ** 1000 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%.999999999f' % 1 }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ '%(a)s' % subscriber }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ 'x'.center(999999999) }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x'.zfill(999999999) }}",
        "{{ 'x'|center(999999999) }}",
        "{{ 'x'|indent(999999999) }}",
        "{{ 'a' * 4000|int }}{{ ('a' * 4000)|replace('a', 'b' * 4000) }}",
        "{{ subscriber.attributes.tags|join('b' * 90000) }}",
        "{{ 1|round(999999999, 'ceil') }}",
        "{{ range(999999999)|list|length }}",
        "{% for i in range(999999999) %}{% endfor %}",
        "{% for tag in subscriber.attributes.tags %}{% for other in subscriber.attributes.tags %}" + "x" * 90
        + "{% endfor %}{% endfor %}",
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 60,
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x + x %}" * 60,
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60,
        "{% set x = [1] %}" + "{% set x = x + x %}" * 60,
        "{% set x, y = [1], [1] %}" + "{% set x, y = [x, x], [y, y] %}" * 60 + "{{ x == y }}",
        "{% set x = 1 %}" + "{% set x = (x, x) %}" * 60 + "{{ x|string }}",
        "{% set x = 1 %}" + "{% set x = {'a': x, 'b': x} %}" * 60 + "{{ x }}",
        "{% set x = 10 ** 18 %}" + "{% set x = x * x %}" * 60,
        "{% set n = namespace(l=[]) %}{% for a in range(1000) %}{% for b in range(1000) %}"
        "{% set n.l = n.l + [subscriber.name|upper] %}{% endfor %}{% endfor %}",
    ],
)  # fmt: skip
def test_what_would_fill_the_memory_is_refused_before_it_does(source: str) -> None:
    limits = RenderLimits(output=100_000, made=1_000_000, seconds=30.0)
    tracemalloc.start()
    try:
        reason_for(source, limits)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}"
        "{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% if a is odd %}{{ b }}{% endif %}"
        "{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) if b > a and b in range(1000)|sort %}"
        "{% endfor %}{% endfor %}",
    ],
)
def test_what_would_take_for_ever_is_stopped_in_time(source: str) -> None:
    started, used = monotonic(), thread_time()
    assert reason_for(source, RenderLimits(made=10**12, seconds=0.1)) == "it takes too long"
    assert monotonic() - started >= 0.1
    assert thread_time() - used < 1.5


def test_a_machine_that_stands_still_in_the_middle_spoils_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the clock on the wall says meanwhile, the work is little."""
    hours = count(step=3600)
    monkeypatch.setattr(bounds, "monotonic", lambda: float(next(hours)))
    template = PartTemplate("text", "{% for n in range(9) %}{{ n }}{% endfor %} {{ subscriber.name }}")
    assert template.render(NAMES) == f"012345678 {LONG_NAME}"


def test_a_long_source_is_refused_before_it_is_read() -> None:
    assert "longer than 1,000" in reason_for("{{ 1 }}" + "x" * 1000, RenderLimits(source=1000))


def test_an_output_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    fits = PartTemplate("text", "{{ subscriber.name }}", limits=RenderLimits(output=1000))
    assert fits.render(NAMES) == LONG_NAME
    assert "more than 999" in reason_for("{{ subscriber.name }}", RenderLimits(output=999))


def test_escaping_counts_towards_the_output() -> None:
    names = names_for({"name": "<" * 1000}, {})
    template = PartTemplate("html", "{{ subscriber.name }}", html=True, limits=RenderLimits(output=3999))
    with pytest.raises(TemplateError, match="more than 3,999"):
        template.render(names)


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ " + "not " * 5000 + "1 }}",
        "{{ subscriber" + ".name" * 5000 + " }}",
        "{{ 1" + " + 1" * 5000 + " }}",
        "{{ " + "[" * 5000 + "]" * 5000 + " }}",
        "{% if 1 %}" * 300 + "{% endif %}" * 300,
        "{% for a in [1] %}" * 30 + "{% endfor %}" * 30,
        "{% if 0 %}" + "{% elif 0 %}" * 9000 + "{% endif %}",
        "{{ subscriber.name }}" * 5001,
    ],
)
def test_a_source_that_is_nested_too_deeply_or_has_too_many_tags_is_refused(source: str) -> None:
    assert reason_for(source, RenderLimits()) in (
        "it is nested too deeply",
        "it has more than 10,000 expressions and tags",
    )
