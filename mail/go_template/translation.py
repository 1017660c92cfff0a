"""Templates as listmonk's authors write them, in Jinja. Pure: text in, text out, line by line.

What is not Go's is Jinja and stays as it is, so that both may stand in one template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mail.go_template.expressions import GoTemplateError, Pipeline, Scope, pipeline, variable_name
from mail.go_template.functions import ROOT, Expression, Unreadable
from mail.go_template.tags import WORD, go_tag

__all__ = ["GoTemplateError", "translated"]

MOST_TAGS = 10_000
MOST_VARIABLES = 500
DEEPEST = 100

_OPENING = re.compile(r"\{[{%#]")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}.*?(?:\{%[-+]?\s*endraw\s*[-+]?%\}|\Z)", re.DOTALL)
_TRACKED = "@TrackLink"
_RUN = re.compile(r"""[^\s"'<>{}]+""")
_LINK = re.compile(r"https?://(?=.)", re.DOTALL)


def translated(source: str) -> str:
    """With as many lines as the source. Raises GoTemplateError for what cannot be said in Jinja."""
    if "{{" not in source and "@TrackLink" not in source:
        return source
    if source.count("{{") > MOST_TAGS:
        raise GoTemplateError(1, f"it has more than {MOST_TAGS:,} expressions and tags")
    return "".join(_Translation(source).parts())


def _without_tracking(text: str) -> str:
    """Links with `@TrackLink` at their end, as they are without it: nothing is tracked."""
    return _RUN.sub(_link, text) if _TRACKED in text else text


def _link(run: re.Match[str]) -> str:
    link, mark, rest = run.group().rpartition(_TRACKED)
    return link + rest if mark and _LINK.search(link) else run.group()


@dataclass
class _TemplateBlock:
    """`scope` is what holds outside of it; `closing` ends it; `otherwise` is what `else` becomes, None
    when there was one already."""

    keyword: str
    line: int
    scope: Scope
    closing: str
    otherwise: str | None


class _Translation:
    def __init__(self, source: str) -> None:
        self._source = source
        self._line = 1
        self._scope = Scope()
        self._blocks: list[_TemplateBlock] = []
        self._dots = 0

    def parts(self) -> Iterator[str]:
        source, at = self._source, 0
        while (opening := _OPENING.search(source, at)) is not None:
            start = opening.start()
            yield _without_tracking(source[at:start])
            self._line += source.count("\n", at, start)
            part, at = self._part(start)
            yield part
            self._line += source.count("\n", start, at)
        yield _without_tracking(source[at:])
        if self._blocks:
            block = self._blocks[-1]
            raise GoTemplateError(block.line, f"{{{{ {block.keyword} }}}} has no {{{{ end }}}}")

    def _part(self, start: int) -> tuple[str, int]:
        """What stands for the part that begins at `start`, and where that part ends."""
        source, end = self._source, start + 2
        if source.startswith("{#", start):
            closing = source.find("#}", end)
            end = closing + 2 if closing >= 0 else len(source)
        elif source.startswith("{%", start):
            raw = _RAW.match(source, start)
            end = raw.end() if raw else end
        else:
            tag = go_tag(source, start)
            if tag is not None:
                return self._translated(tag), tag.end()
        return source[start:end], end

    def _translated(self, tag: re.Match[str]) -> str:
        try:
            made = self._tag(tag["inside"].strip())
        except Unreadable as unreadable:
            raise GoTemplateError(self._line, str(unreadable)) from None
        except RecursionError:
            raise GoTemplateError(self._line, "it is nested too deeply") from None
        return _with_marks(made, tag)

    def _tag(self, inside: str) -> str:
        if inside.startswith("/*"):
            return _NOTHING
        word = WORD.match(inside)
        rule = _RULES.get(word.group()) if word else None
        if rule is not None and word is not None:
            return rule(self, inside[word.end() :].strip())
        found = pipeline(inside, self._scope)
        if found.value.jinja == ROOT:
            raise Unreadable("the whole of the data cannot be used like this: name a field")
        if found.variables:
            return self._assignment(found)
        return _NOTHING if found.value.jinja == '""' else "{{ " + found.value.printed + " }}"

    def _assignment(self, found: Pipeline) -> str:
        if len(found.variables) > 1:
            raise Unreadable("two variables are given their values by range only")
        (name,) = found.variables
        if not found.is_new:
            self._check_change(name)
        return self._named(name, found.value.jinja)

    def _check_change(self, name: str) -> None:
        """Jinja's loops and `with` keep what is set in them."""
        if name not in self._scope.variables:
            raise Unreadable(f"${name} has been given no value")
        around = next((block for block in reversed(self._blocks) if block.keyword != "if"), None)
        if around is not None and name in around.scope.variables:
            raise Unreadable(f"${name} cannot be changed within {around.keyword}, only before it")

    def if_(self, rest: str) -> str:
        made = f"{{% if {self._condition(rest)} %}}"
        self._open("if", "{% endif %}", "{% else %}")
        return made

    def else_(self, rest: str) -> str:
        block = self._innermost("else")
        if block.otherwise is None:
            raise Unreadable("there was an {{ else }} already")
        if rest:
            keyword, _, condition = rest.partition(" ")
            if keyword != "if" or block.keyword != "if":
                raise Unreadable(f"{{{{ else {keyword} }}}} is not offered after {block.keyword}")
            return f"{{% elif {self._condition(condition)} %}}"
        made, block.otherwise = block.otherwise, None
        self._scope = block.scope
        if block.keyword == "with":
            block.closing = "{% endif %}"
        return made

    def with_(self, rest: str) -> str:
        value, names = self._one_value(rest, "with")
        self._open("with", "{% endwith %}{% endif %}", "{% endwith %}{% else %}")
        dot = self._new_dot()
        named = "".join(self._named(name, dot) for name in names)
        return f"{{% if {value.jinja} %}}{{% with {dot} = {value.jinja} %}}{named}"

    def range_(self, rest: str) -> str:
        value, names = self._one_value(rest, "range", most=2)
        self._open("range", "{% endfor %}", "{% else %}")
        dot = self._new_dot()
        if len(names) < 2:
            named = "".join(self._named(name, dot) for name in names)
            return f"{{% for {dot} in {_values(value.jinja)} %}}{named}"
        # A map gives pairs of key and value, a list its elements with their places.
        pair, is_map = f"{dot}_pair", f"{value.jinja} is mapping"
        return (
            f"{{% for {pair} in {_pairs(value.jinja)} %}}"
            f"{{% set {dot} = {pair}[1] if {is_map} else {pair} %}}"
            + self._named(names[0], f"{pair}[0] if {is_map} else loop.index0")
            + self._named(names[1], dot)
        )

    def end_(self, rest: str) -> str:
        if rest:
            raise Unreadable(f"{rest[:20]!r} was not expected after end")
        block = self._innermost("end")
        self._blocks.pop()
        self._scope = block.scope
        return block.closing

    def template_(self, rest: str) -> str:
        if rest.startswith('"content"'):
            raise Unreadable("the place of the content belongs into a template, and there once")
        raise Unreadable("no templates but the campaign's own are offered")

    def not_offered(self, _rest: str) -> str:
        raise Unreadable("block, define, break and continue are not offered")

    def _condition(self, rest: str) -> str:
        found = pipeline(rest, self._scope)
        if found.variables:
            raise Unreadable("give the variable its value before the condition, not in it")
        if found.value.jinja == ROOT:
            raise Unreadable("the whole of the data is always there: name a field")
        return found.value.jinja

    def _one_value(self, rest: str, keyword: str, most: int = 1) -> tuple[Expression, tuple[str, ...]]:
        found = pipeline(rest, self._scope)
        if len(found.variables) > most or (found.variables and not found.is_new):
            raise Unreadable(
                f"{keyword} gives values to {most} new variable{'s' if most > 1 else ''} at most"
            )
        if found.value.jinja == ROOT:
            raise Unreadable(f"{keyword} takes a field, not the whole of the data")
        return found.value, found.variables

    def _innermost(self, keyword: str) -> _TemplateBlock:
        if not self._blocks:
            raise Unreadable(f"{{{{ {keyword} }}}} belongs to no if, with or range")
        return self._blocks[-1]

    def _open(self, keyword: str, closing: str, otherwise: str) -> None:
        if len(self._blocks) == DEEPEST:
            raise Unreadable("it is nested too deeply")
        self._blocks.append(_TemplateBlock(keyword, self._line, self._scope, closing, otherwise))

    def _new_dot(self) -> str:
        self._dots += 1
        dot = f"go_{self._dots}"
        self._scope = Scope(dot, self._scope.variables)
        return dot

    def _named(self, name: str, value: str) -> str:
        if len(self._scope.variables) == MOST_VARIABLES:
            raise Unreadable(f"it has more than {MOST_VARIABLES} variables")
        self._scope = Scope(self._scope.dot, self._scope.variables | {name})
        return f"{{% set {variable_name(name)} = {value} %}}"


_RULES: dict[str, Callable[[_Translation, str], str]] = {
    "if": _Translation.if_,
    "else": _Translation.else_,
    "with": _Translation.with_,
    "range": _Translation.range_,
    "end": _Translation.end_,
    "template": _Translation.template_,
    "block": _Translation.not_offered,
    "define": _Translation.not_offered,
    "break": _Translation.not_offered,
    "continue": _Translation.not_offered,
}


def _values(jinja: str) -> str:
    """Go goes through a map's values in the order of its keys."""
    return f"({jinja} | dictsort | map(attribute=1) if {jinja} is mapping else {jinja})"


def _pairs(jinja: str) -> str:
    return f"({jinja} | dictsort if {jinja} is mapping else {jinja})"


_NOTHING = "{##}"


def _with_marks(made: str, tag: re.Match[str]) -> str:
    """With the trim marks at both ends, and the lines that the tag ran over."""
    lines = "\n" * tag.group().count("\n")
    if made == _NOTHING and not (tag["left"] or tag["right"] or lines):
        return ""
    opening = made[:2] + ("-" if tag["left"] else "")
    closing = ("-" if tag["right"] else "") + made[-2:]
    return f"{opening}{made[2:-2]}{lines}{closing}"
