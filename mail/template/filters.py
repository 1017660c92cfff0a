"""The filters that templates have. Each pays for what it makes; those that could make much out of little
pay first. Not offered: what pads (center, indent), what takes time that grows faster than its input
(striptags, wordwrap, urlize), and what an e-mail has no use for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from jinja2 import pass_context, pass_environment
from jinja2.filters import FILTERS, do_round, do_sum
from markupsafe import Markup

from mail.template.bounds import LONGEST_LIST, OutOfBounds, Rendering, cost_of, plain_text
from mail.template.bounds import PLAIN as PLAIN_KINDS

# What the rewriting puts in; the blank keeps their names out of a template's reach.
COUNTED = "counted "
CONCATENATED = "concatenated "
PLAIN = "plain "
MADE = "made "


@pass_context
def _counted(context: Rendering, items: Iterable[Any], weight: int) -> Iterator[Any]:
    """`weight` is the fixed text of the loop's body."""
    spend = context.budget.spend
    for item in items:
        spend(weight + 1)
        yield item


@pass_context
def _concatenated(context: Rendering, values: list[Any]) -> str:
    texts = [plain_text(value) for value in values]
    context.budget.spend(sum(map(len, texts)))
    if context.eval_ctx.autoescape and any(isinstance(text, Markup) for text in texts):
        return Markup("").join(texts)
    return "".join(texts)


def _plain(value: Any) -> Any:
    """Lists made of lists, doubled over and over, would take for ever to compare."""
    if not isinstance(value, PLAIN_KINDS):
        raise OutOfBounds("a list or mapping that a template makes holds plain values only")
    return value


def _made(value: Any) -> Any:
    return value


@pass_context
def _replaced(context: Rendering, text: Any, old: Any, new: Any, count: int | None = None) -> Any:
    text, old, new = plain_text(text), plain_text(old), plain_text(new)
    context.budget.spend(text.count(old) * len(new))
    return _replace(context.eval_ctx, text, old, new, count)


@pass_context
def _joined(context: Rendering, values: Any, between: str = "", attribute: Any = None) -> Any:
    items = list(islice(values, LONGEST_LIST + 1))
    if len(items) > LONGEST_LIST:
        raise OutOfBounds(f"a list is longer than {LONGEST_LIST:,}")
    if attribute is not None:
        items = list(_map(context, items, attribute=attribute))
    texts = [plain_text(item) for item in items]
    context.budget.spend(sum(map(len, texts)) + len(texts) * len(between))
    return _join(context.eval_ctx, texts, between)


_DIRECTIVE = re.compile(r"%(?:[#0 +-]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?[hlL]?[diouxXeEfFgGcrsa%]|(\())")


@pass_context
def formatted(context: Rendering, pattern: Any, *values: Any) -> Any:
    """printf-style, widths and precisions of two digits at most."""
    texts = [plain_text(value) for value in values]
    directives = list(_DIRECTIVE.finditer(plain_text(pattern)))
    for width, precision, named in (directive.groups(default="") for directive in directives):
        if named or "*" in (width, precision) or len(width) > 2 or len(precision) > 2:
            raise OutOfBounds("a format has widths and precisions of two digits at most, and no names")
    context.budget.spend(len(pattern) + sum(map(len, texts)) + 512 * len(directives))
    return pattern % values


def _rounded(value: float, precision: int = 0, method: str = "common") -> float:
    if abs(precision) > 15:
        raise OutOfBounds("rounding has at most 15 digits")
    return do_round(value, precision, method)  # type: ignore[arg-type]


def _mapped(context: Any, values: Any, *filters: Any, attribute: Any = None, **default: Any) -> Any:
    if filters or attribute is None:
        raise OutOfBounds("map takes attribute= and nothing else")
    return _map(context, values, attribute=attribute, **default)


def _summed(environment: Any, values: Any, attribute: Any = None) -> Any:
    return do_sum(environment, values, attribute)


_replace: Callable[..., Any] = FILTERS["replace"]
_join: Callable[..., Any] = FILTERS["join"]
_map: Callable[..., Any] = FILTERS["map"]


def charged(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, paying for what it makes."""
    wants = getattr(getattr(function, "jinja_pass_arg", None), "name", None)

    @pass_context
    def paying(context: Rendering, *args: Any, **kwargs: Any) -> Any:
        if wants == "context":
            args = (context, *args)
        elif wants == "eval_context":
            args = (context.eval_ctx, *args)
        elif wants == "environment":
            args = (context.environment, *args)
        result = function(*args, **kwargs)
        context.budget.spend(cost_of(result))
        return result

    return paying


_UNCHANGED = (
    *(
        "abs",
        "capitalize",
        "count",
        "d",
        "default",
        "dictsort",
        "e",
        "escape",
        "first",
        "float",
        "forceescape",
    ),
    *("int", "items", "last", "length", "list", "lower", "max", "min", "reject", "rejectattr", "reverse"),
    *("safe", "select", "selectattr", "sort", "string", "title", "trim", "truncate", "unique", "upper"),
    *("urlencode", "wordcount"),
)
OFFERED: Mapping[str, Callable[..., Any]] = {
    **{name: charged(FILTERS[name]) for name in _UNCHANGED},
    "format": charged(formatted),
    "join": charged(_joined),
    "map": charged(pass_context(_mapped)),
    "replace": charged(_replaced),
    "round": charged(_rounded),
    "sum": charged(pass_environment(_summed)),
    COUNTED: _counted,
    CONCATENATED: _concatenated,
    PLAIN: _plain,
    MADE: charged(_made),
}
