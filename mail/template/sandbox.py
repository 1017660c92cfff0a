"""Jinja in bounds: what a template may use, and how much text and time it may take.

`ImmutableSandboxedEnvironment` keeps a template away from Python; it does not keep it from making a
gigabyte out of one line. So the parsed template is rewritten before it is compiled: every place that can
loop or make text (loops, operators, filters, calls, outputs) pays for it from a budget, which also looks at
the clock. What cannot be counted (macros, recursion, other templates) is not offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup, escape

from mail.template import filters, go_values, operators, tests
from mail.template.bounds import (
    LONGEST_LIST,
    LONGEST_RANGE,
    TOO_MUCH_TEXT,
    OutOfBounds,
    Rendering,
    cost_of,
    plain_text,
)
from mail.template.printing import Code

MOST_TOKENS = 100_000
_needs_escaping = re.compile("[&<>'\"]").search


def _printed(context: Rendering, value: Any) -> str:
    text = value if type(value) is str else plain_text(value)
    # Loops and calls look at the clock; what they put out need not.
    budget = context.budget
    budget.text -= len(text)
    if budget.text < 0:
        raise OutOfBounds(TOO_MUCH_TEXT)
    return text


def _printed_escaped(context: Rendering, value: Any) -> str:
    text = _printed(context, value)
    return escape(text) if _needs_escaping(text) else text


class Sandbox(ImmutableSandboxedEnvironment):
    """`html` switches autoescaping on. Knows no loader, so that a template reads nothing."""

    code_generator_class = Code
    intercepted_binops = operators.OFFERED

    def __init__(self, *, html: bool) -> None:
        # Folding constants would compute them outside any budget.
        super().__init__(
            undefined=StrictUndefined,
            autoescape=html,
            optimized=False,
            keep_trailing_newline=True,
            cache_size=0,
        )
        self.printed = _printed_escaped if html else _printed
        self.filters = {**filters.OFFERED, **go_values.OFFERED}
        self.tests = dict(tests.OFFERED)
        self.globals = {"range": _bounded_range, "namespace": Namespace}

    def _tokenize(self, source: str, name: str | None, filename: str | None = None,
                  state: str | None = None) -> TokenStream:  # fmt: skip
        return TokenStream(_counted(super()._tokenize(source, name, filename, state)), name, filename)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A value of a mapping first, so that an attribute called `items` is not hidden by a method."""
        kind = type(obj)
        if kind is dict:
            try:
                return obj[attribute]
            except KeyError:
                pass
        if attribute in _METHODS.get(kind, ()):
            return getattr(obj, attribute)
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        if kind is Namespace and not attribute.startswith("_"):
            return getattr(obj, attribute, self.undefined(hint=f"there is no {attribute!r}"))
        return self.undefined(hint=f"there is no {attribute!r}")

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, (dict, list, tuple, str)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        elif isinstance(obj, Undefined):
            return obj[argument]
        # The key may be someone's name: it is not quoted.
        return self.undefined(hint="an item that is asked for in brackets, or by a filter, is not there")

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        text = getattr(obj, "__self__", None)
        if isinstance(text, str):
            context.budget.spend(len(text))
            _check_text_method(obj.__name__, text, args, kwargs)
        context.budget.spend(filters.once((*args, *kwargs.values())))
        result = super().call(context, obj, *args, **kwargs)
        context.budget.spend(cost_of(result))
        return result

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        return operators.applied(context, operator, left, right)


def _counted(tokens: Iterable[Token]) -> Iterator[Token]:
    """Before they are read, which takes a hundred times as long."""
    for count, token in enumerate(tokens):
        if count > MOST_TOKENS:
            raise TemplateSyntaxError(f"it has more than {MOST_TOKENS:,} words and signs", token.lineno)
        yield token


def _check_text_method(name: str, text: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """What makes much out of little, or takes longer than its text is long."""
    if name.endswith("strip"):
        filters.trimmed("", *args, *named.values())
    elif name == "split" and len(text) > LONGEST_LIST:
        separator = args[0] if args else named.get("sep")
        pieces = text.count(separator) if separator else len(text.split(None, LONGEST_LIST))
        if pieces >= LONGEST_LIST:
            raise OutOfBounds(f"a list is longer than {LONGEST_LIST:,}")


def _bounded_range(*arguments: int) -> range:
    numbers = range(*arguments)
    if len(numbers) > LONGEST_RANGE:
        raise OutOfBounds(f"a range is longer than {LONGEST_RANGE:,}")
    return numbers


_TEXT_METHODS = frozenset(
    {
        "capitalize",
        "count",
        "endswith",
        "find",
        "isalpha",
        "isdigit",
        "islower",
        "isupper",
        "lower",
        "lstrip",
        "removeprefix",
        "removesuffix",
        "rstrip",
        "split",
        "startswith",
        "strip",
        "title",
        "upper",
    }
)
_METHODS: Mapping[type, frozenset[str]] = {
    str: _TEXT_METHODS,
    Markup: _TEXT_METHODS,
    dict: frozenset(["get", "items", "keys", "values"]),
    date: frozenset(["day", "month", "year"]),
    LoopContext: frozenset(
        {
            "changed",
            "cycle",
            "depth",
            "depth0",
            "first",
            "index",
            "index0",
            "last",
            "length",
            "nextitem",
            "previtem",
            "revindex",
            "revindex0",
        }
    ),
}
