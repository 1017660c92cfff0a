"""Templates written for listmonk, rendered by us."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mail.go_template.translation import GoTemplateError, translated
from mail.template.render import PartTemplate, TemplateError, names_for

ATTRIBUTES: dict[str, Any] = {
    "city": "Bengaluru", "likes_tea": True, "projects": 3, "ratio": 2.5, "none": None, "empty": "",
    "languages": ["English", "Malayalam"], "stack": {"first": "go", "all": ["go", "python"]},
    "orders": [{"id": 1, "paid": True}, {"id": 2, "paid": False}], "mark": "<b>&</b>", "values": [7],
}  # fmt: skip
NAMES = names_for(
    {
        "name": "Ann Berg", "first_name": "Ann", "last_name": "Berg", "email": "ann@example.com",
        "uuid": "6c3e", "attributes": ATTRIBUTES, "attribs": ATTRIBUTES,
    },
    {"name": "Spring", "subject": "Hello", "uuid": "c1", "from_email": "N <n@example.com>",
     "attributes": {"place": "Oslo"}},
    unsubscribe_url="https://example.com/u/1", today=date(2026, 3, 4),
)  # fmt: skip


def written(source: str) -> str:
    """§ is short for the attributes."""
    return source.replace("§", ".Subscriber.Attribs")


def rendered(source: str, *, html: bool = False) -> str:
    return PartTemplate("text", written(source), html=html).render(NAMES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hi {{ .Subscriber.FirstName }} {{.Subscriber.LastName}}!", "Hi Ann Berg!"),
        (
            "{{ .Subscriber.Name }}|{{ .Subscriber.Email }}|{{ .Subscriber.UUID }}|{{ .Subscriber.Status }}",
            "Ann Berg|ann@example.com|6c3e|enabled",
        ),
        ("{{ §.city }} {{ §.stack.first }}", "Bengaluru go"),
        ("{{ .Campaign.Name }} {{ .Campaign.Subject }} {{ .Campaign.UUID }}", "Spring Hello c1"),
        ("{{ .Campaign.FromEmail }} {{ .Campaign.Attribs.place }}", "N <n@example.com> Oslo"),
        ("{{ §.likes_tea }} {{ §.projects }}", "true 3"),
        ("[{{ §.missing }}{{ §.none }}]", "[]"),
        ("[{{ §.missing.city }}{{ §.none.city }}{{ §.city.name.first }}{{ §.orders.id }}]", "[]"),
        ('[{{ index § "missing" "city" }}{{ index §.languages 7 }}{{ (index §.orders 7).id.x }}]', "[]"),
        ('[{{ upper §.none }}{{ printf "%5s|%d|%.1f|%v" §.missing §.missing §.none §.none }}]', "[     |||]"),
        ("{{ if gt §.missing 2 }}more{{ else if lt §.city 2 }}less{{ else }}no{{ end }}", "no"),
        ("{{ if eq §.missing nil }}none{{ end }}{{ if eq §.none nil }}none{{ end }}", "nonenone"),
        ("{{ range §.missing.list }}x{{ else }}none{{ end }}{{ with §.none.list }}x{{ end }}", "none"),
        ("{{ UnsubscribeURL }} {{UnsubscribeURL .}}", "https://example.com/u/1 https://example.com/u/1"),
        ('{{ TrackLink "https://a.example/?x=1" }}', "https://a.example/?x=1"),
        ('{{ TrackLink "https://a.example" . }}{{ TrackView }}{{ TrackView . }}', "https://a.example"),
        ("<a href='https://a.example/b?c=d@TrackLink'>", "<a href='https://a.example/b?c=d'>"),
        ("write to me@TrackLink.example", "write to me@TrackLink.example"),
        ("a{{/* a note\nover lines */}}b", "a\x00b"),
        # Conditions.
        ("{{ if §.city }}yes{{ end }}", "yes"),
        ("{{ if §.missing }}yes{{ else }}no{{ end }}", "no"),
        ('{{ if eq §.city "Oslo" }}O{{ else if eq §.city "Bengaluru" }}B{{ end }}', "B"),
        ('{{ if eq §.city "Oslo" "Bengaluru" }}one of them{{ end }}', "one of them"),
        ("{{ if and .Subscriber.Name (not §.empty) }}yes{{ end }}", "yes"),
        ("{{ if or §.empty §.none }}yes{{ else }}no{{ end }}", "no"),
        ("{{ if gt §.projects 2 }}many{{ end }}{{ if le 4 3 }}x{{ end }}", "many"),
        ("{{ if ne (len §.languages) 2 }}x{{ else }}two{{ end }}", "two"),
        ("{{ if eq §.likes_tea true }}tea{{ end }}", "tea"),
        # Loops and with.
        ("{{ range §.languages }}<{{ . }}>{{ end }}", "<English><Malayalam>"),
        ("{{ range §.missing }}x{{ else }}none{{ end }}", "none"),
        ("{{ range §.items }}x{{ else }}none{{ end }}[{{ §.keys }}{{ §.stack.get }}]", "none[]"),
        ("{{ range $o := §.orders }}{{ .items }}{{ $o.items }}-{{ end }}", "--"),
        ("{{ range §.values }}{{ . }}{{ end }}", "7"),
        ("{{ range §.orders }}{{ .id }}={{ .paid }} {{ $.Subscriber.FirstName }};{{ end }}",
         "1=true Ann;2=false Ann;"),
        ("{{ range $i, $o := §.orders }}{{ $i }}:{{ $o.id }}{{ .id }} {{ end }}", "0:11 1:22 "),
        ("{{ range $o := §.orders }}{{ $o.id }}{{ end }}", "12"),
        ("{{ range $k, $v := §.stack }}{{ $k }} {{ end }}", "all first "),
        ("{{ range §.stack.all }}{{ . | upper }},{{ end }}", "GO,PYTHON,"),
        ("{{ range §.orders }}{{ range $§.languages }}{{ len . }}{{ end }}/{{ end }}",
         "79/79/"),
        ("{{ with §.stack }}{{ .first }}{{ end }}", "go"),
        ("{{ with §.missing }}x{{ else }}{{ .Subscriber.FirstName }}{{ end }}", "Ann"),
        ("{{ with $s := §.stack }}{{ $s.first }}{{ .first }}{{ end }}", "gogo"),
        # Variables, functions, pipelines.
        ('{{ $n := .Subscriber.Name }}{{ $n }} {{ if true }}{{ $n = "x" }}{{ end }}{{ $n }}', "Ann Berg x"),
        ('{{ §.missing | default "you" | upper }}', "YOU"),
        ('{{ upper "a" }}{{ lower "B" }}{{ title "ann berg" }}[{{ trim "  x " }}]', "AbAnn Berg[x]"),
        ('{{ index § "city" }} {{ index §.languages 1 }}', "Bengaluru Malayalam"),
        ('{{ (index §.orders 1).id }}', "2"),
        ('{{ print "a" 1 true }} {{ printf "%s: %d (%.1f) 100%%" .Subscriber.FirstName §.projects §.ratio }}',
         "a1true Ann: 3 (2.5) 100%"),
        ('{{ "a\\"b\\u00e9" }}'.replace('{{ "', '{{ print "'), 'a"bé'),
        ("{{ print `raw \\n` }}", "raw \\n"),
        ('{{ replace "n" "m" .Subscriber.FirstName }}: {{ join "," §.languages }}', "Amm: English,Malayalam"),
        ('{{ ternary "tea" "coffee" §.likes_tea }}', "tea"),
        ('{{ coalesce §.empty §.city }}', "Bengaluru"),
        ('{{ Date "2 January 2006" }} {{ Date "2006-01-02" }}', "4 March 2026 2026-03-04"),
        ('{{ Date "Jan 2, 06" . }}', "Mar 4, 26"),
        # White space.
        ("a \n {{- .Subscriber.FirstName -}} \n b", "aAnnb"),
        ("a {{- if true -}} b {{- end -}} c", "abc"),
        ("a {{- /* note */ -}} b", "ab"),
        # Jinja beside it, and what only looks like Go.
        ("{{ subscriber.first_name }} {{ .Subscriber.LastName }}", "Ann Berg"),
        ("{% if subscriber.name %}{{ .Subscriber.FirstName }}{% endif %}", "Ann"),
        ("{{ not subscriber.name }} {{ range (2) | list | length }}", "False 2"),
        ("{{ subscriber .name }}", "Ann Berg"),
        ("{# {{ .Nothing }} #}{% raw %}{{ .Subscriber.Name }}{% endraw %}", "{{ .Subscriber.Name }}"),
        ('{{ "}}" }}{{ print "}}" }}', "}}}}"),
    ],
)  # fmt: skip
def test_what_listmonk_says_is_said_by_us(source: str, expected: str) -> None:
    assert rendered(source) == expected.replace("\x00", "")


def test_in_html_values_are_escaped_unless_they_are_called_safe() -> None:
    assert rendered("{{ §.mark }}", html=True) == "&lt;b&gt;&amp;&lt;/b&gt;"
    assert rendered("{{ §.mark | Safe }}", html=True) == "<b>&</b>"
    assert rendered('{{ Safe "<!-- x -->" }}', html=True) == "<!-- x -->"
    assert rendered('<a href="{{ TrackLink "https://a.b/?c=1&d=2" }}">', html=True) == (
        '<a href="https://a.b/?c=1&amp;d=2">'
    )


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("\n{{ sha256sum .Subscriber.Email }}", 2, "the function sha256sum is not offered"),
        ("{{ .Subscriber.Age }}", 1, "has Name, FirstName"),
        ("{{ .Subscriber }}", 1, "name a field of .Subscriber"),
        ("{{ .Lists }}", 1, "there are .Subscriber and .Campaign"),
        ("{{ . }}", 1, "name a field"),
        ("{{ $x := . }}", 1, "name a field"),
        ("{{ $x }}", 1, "$x has been given no value"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 1, "$x has been given no value"),
        ("{{ $x := 1 }}{{ range §.a }}{{ $x = 2 }}{{ end }}", 1, "within range"),
        ("a\n{{ if .Subscriber.Name }}\n\n", 2, "{{ if }} has no {{ end }}"),
        ("{{ end }}", 1, "belongs to no"),
        ("{{ else }}", 1, "belongs to no"),
        ("{{ if true }}{{ else }}{{ else }}{{ end }}", 1, "already"),
        ("{{ range §.a }}{{ else if true }}{{ end }}", 1, "not offered after range"),
        ('{{ template "content" . }}', 1, "belongs into a template"),
        ('{{ template "footer" . }}', 1, "no templates"),
        ('{{ define "x" }}', 1, "not offered"),
        ("{{ break }}", 1, "not offered"),
        ("{{ OptinURL }}", 1, "no page to confirm"),
        ("{{ MessageURL . }}", 1, "no page on the web"),
        ('{{ L.T "public.unsub" }}', 1, "L"),
        ("{{ eq .Subscriber.Name }}", 1, "at least 2 arguments"),
        ("{{ upper .Subscriber.Name .Subscriber.Email }}", 1, "takes 1 argument"),
        ("{{ .Subscriber.Name .Subscriber.Email }}", 1, "a function was expected"),
        ("{{ .Subscriber.Name | .Subscriber.Email }}", 1, "function"),
        ("{{ (.Subscriber.Name }}", 1, "parenthesis"),
        ("{{ .Subscriber.Name ) }}", 1, "')'"),
        ("{{ .Subscriber.Name % 2 }}", 1, "cannot be read"),
        ('{{ Date "15:04" }}', 1, "not 15"),
        ('{{ printf "%x" 3 }}', 1, "printf offers"),
        ("{{ upper . }}", 1, "whole of the data"),
        ("{{ eq " + "(eq " * 30 + ".Subscriber.Name 1 2" + ") 1 2" * 30 + " }}", 1, "too long"),
        ("{{ " + "(" * 1500 + ".Subscriber.Name" + ")" * 1500 + " }}", 1, "nested too deeply"),
        ("{{ .Subscriber.Name }}" * 10_001, 1, "more than 10,000"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_with_line_and_reason(source: str, line: int, reason: str) -> None:
    with pytest.raises(TemplateError) as refused:
        PartTemplate("html", written(source))
    assert (refused.value.part, refused.value.line) == ("html", line)
    assert reason in refused.value.reason


def test_an_error_after_a_tag_over_several_lines_is_found_in_its_line() -> None:
    source = "{{ .Subscriber.Name\n}}\n{{/* \n */}}\n{{ subscriber.missing.deeper }}"
    with pytest.raises(TemplateError) as failed:
        rendered(source)
    assert failed.value.line == 5


PIECES = st.sampled_from(
    """{{ .Subscriber.Name }}§{{- if .Subscriber.Attribs.a }}§{{ else }}§{{ else if true }}§{{ end -}}
    §{{ $x.y }}§{{ range $i, $x := .Subscriber.Attribs.b }}§{{ with .Subscriber.Attribs.c }}§{{ . }}
    §{{ print "a" | upper }}§{{ (§{{ subscriber.name }}§{% if 1 %}§{% endif %}§@TrackLink§{{§}}§{%§%}
    §{#§#}§/*§*/§"§`§)§$§-§\n§ §x§eq
    """.split("§")
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=60))
def test_any_source_is_translated_or_refused_and_keeps_its_lines(source: str) -> None:
    try:
        made = translated(source)
    except GoTemplateError as error:
        line = error.line
    else:
        assert made.count("\n") == source.count("\n")
        return
    assert 1 <= line <= source.count("\n") + 1


MISSING = st.sampled_from(
    [".Subscriber.Attribs.z", ".Subscriber.Attribs.a.b.c", ".Campaign.Attribs.items.b", ".Tx.Data.a.b.c",
     "nil", '(index .Subscriber.Attribs "a" "b" "c")', "(index .Subscriber.Attribs.a.b 3).c", '"text"']
)  # fmt: skip
TEXTS = {
    1: "upper|lower|title|trim|first|last|html|urlquery|Safe|TrackLink|print|printf `%v`|printf `%-5d`",
    2: 'default|coalesce|and|or|index|join|print|printf "%5.1f-%s"',
    3: 'replace|coalesce|index|print|printf "%d%s%+.2f"|ternary',
}
ANSWERS = {1: "len|not|empty", 2: "eq|ne|lt|le|gt|ge|contains", 3: "eq"}
PLACES = [
    "{{ § }}",
    "{{ if § }}a{{ else }}b{{ end }}",
    "{{ with $x := § }}{{ $x.y.z }}{{ .y }}{{ end }}",
    "{{ range § }}{{ .y.z }}{{ . }}{{ end }}",
    "{{ range $i, $x := § }}{{ $i }}{{ $x.y }}{{ end }}",
    "{{ $x := § }}{{ $x.y | upper }}",
]
LITTLE: list[dict[str, Any]] = [
    {},
    {"a": None},
    {"a": {"b": None}},
    {"a": {"b": []}},
    {"a": [None]},
    {"a": ""},
]


def calls(functions: dict[int, str], operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def of(count: int) -> st.SearchStrategy[str]:
        parts = st.tuples(st.sampled_from(functions[count].split("|")), *[operands] * count)
        return parts.map(lambda words: f"({' '.join(words)})")

    return st.sampled_from(sorted(functions)).flatmap(of)


SOME_TEXT = st.recursive(MISSING, lambda inner: calls(TEXTS, inner), max_leaves=5)


@settings(max_examples=400, deadline=None)
@given(
    SOME_TEXT.map(lambda text: (text, PLACES))
    | calls(ANSWERS, SOME_TEXT).map(lambda answer: (answer, PLACES[:2])),
    st.data(),
)
def test_no_message_fails_for_what_somebody_does_not_have(
    value_and_places: tuple[str, list[str]], data: st.DataObject
) -> None:
    value, places = value_and_places
    source = data.draw(st.sampled_from(places)).replace("§", value)
    has = data.draw(st.sampled_from(LITTLE))
    names = {**NAMES, "subscriber": {"attributes": has}, "campaign": {"attributes": has}, "tx": {"data": has}}
    try:
        template = PartTemplate("html", source, html=True, names=frozenset(names))
    except TemplateError:
        reject()  # when it is written, not when it is sent
    template.render(names)


@given(st.text(alphabet=st.characters(exclude_characters="{}@"), max_size=60))
def test_what_has_no_tags_stays_as_it_is(source: str) -> None:
    assert translated(source) == source
