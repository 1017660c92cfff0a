"""The filters that templates have. Each pays before it does anything, by the size of all it is given, more if
it takes longer than copying does, and then for what it makes. Not offered: what pads (center, indent), what
takes time that grows faster than its input (striptags, wordwrap, urlize), and what an e-mail has no use for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import pass_context, pass_environment
from jinja2.filters import FILTERS, do_round, do_sum
from markupsafe import Markup

from mail.template.bounds import PLAIN as PLAIN_KINDS
from mail.template.bounds import (
    OutOfBounds,
    Rendering,
    check_number,
    cost_of,
    count_of,
    items_of,
    plain_only,
    plain_text,
    size_of,
    sized,
)

LONGEST_NUMBER = 400
"""Characters that may be read as a number."""
_MOST_TRIMMED = 100
_LONGEST_FORMAT = 10_000
_MOST_DIRECTIVES = 1000

# What the rewriting puts in; the blank keeps their names out of a template's reach.
COUNTED = "counted "
CONCATENATED = "concatenated "
PLAIN = "plain "
MADE = "made "
SIZED = "sized "


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
def to_compare(context: Rendering, value: Any) -> Any:
    """What is about to be compared or searched."""
    value = sized(value)
    context.budget.spend(size_of(value))
    return value


@pass_context
def _replaced(context: Rendering, text: Any, old: Any, new: Any, count: int | None = None) -> Any:
    text, old, new = plain_text(text), plain_text(old), plain_text(new)
    context.budget.spend(text.count(old) * len(new))
    return _replace(context.eval_ctx, text, old, new, count)


@pass_context
def _joined(context: Rendering, values: Any, between: str = "", attribute: Any = None) -> Any:
    items = list(items_of(values))
    if attribute is not None:
        items = list(_map(context, items, attribute=attribute))
    texts = [plain_text(item) for item in items]
    context.budget.spend(sum(map(len, texts)) + len(texts) * len(between))
    return _join(context.eval_ctx, texts, between)


# A zero before the width is a flag, so a width begins with another digit: each character is for one part,
# and a long row of them is gone through once.
_DIRECTIVE = re.compile(r"%(?:[#0 +-]*(\*|[1-9][0-9]*|)(?:\.(\*|[0-9]*))?[hlL]?[diouxXeEfFgGcrsa%]|(\())")


def check_format(pattern: Any) -> None:
    """Raises OutOfBounds, before anything is made of it, for a long one."""
    text = plain_text(pattern)
    if len(text) > _LONGEST_FORMAT or text.count("%") > _MOST_DIRECTIVES:
        raise OutOfBounds(
            f"a format has at most {_LONGEST_FORMAT:,} characters and {_MOST_DIRECTIVES:,} signs of percent"
        )


@pass_context
def formatted(context: Rendering, pattern: Any, *values: Any) -> Any:
    """printf-style, widths and precisions of two digits at most."""
    check_format(pattern)
    texts = [plain_text(value) for value in values]
    directives = list(_DIRECTIVE.finditer(plain_text(pattern)))
    for width, precision, named in (directive.groups(default="") for directive in directives):
        if named or "*" in (width, precision) or len(width) > 2 or len(precision) > 2:
            raise OutOfBounds("a format has widths and precisions of two digits at most, and no names")
    context.budget.spend(len(pattern) + sum(map(len, texts)) + 512 * len(directives))
    return pattern % values


def _rounded(value: float, precision: int = 0, method: str = "common") -> float:
    check_number(value)
    if abs(precision) > 15:
        raise OutOfBounds("rounding has at most 15 digits")
    return do_round(value, precision, method)  # type: ignore[arg-type]


def _number(convert: Callable[..., Any]) -> Callable[..., Any]:
    def converted(value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and len(value) > LONGEST_NUMBER:
            raise OutOfBounds(f"a number has at most {LONGEST_NUMBER} characters")
        return convert(value, *args, **kwargs)

    return converted


def trimmed(text: Any, characters: Any = None) -> Any:
    if characters is not None and len(characters) > _MOST_TRIMMED:
        raise OutOfBounds(f"at most {_MOST_TRIMMED} characters to trim can be named")
    return FILTERS["trim"](text, characters)


def _words_in(text: Any) -> int:
    return sum(1 for _ in _WORD.finditer(text if isinstance(text, str) else str(text)))


def _mapped(context: Any, values: Any, *filters: Any, attribute: Any = None, **default: Any) -> Any:
    if filters or attribute is None:
        raise OutOfBounds("map takes attribute= and nothing else")
    return _map(context, values, attribute=attribute, **default)


def _summed(environment: Any, values: Any, attribute: Any = None) -> Any:
    return do_sum(environment, values, attribute)


_WORD = re.compile(r"\w+")
_replace: Callable[..., Any] = FILTERS["replace"]
_join: Callable[..., Any] = FILTERS["join"]
_map: Callable[..., Any] = FILTERS["map"]

Cost = Callable[[tuple[Any, ...]], int]
"""Of a filter's arguments, in characters that might be copied in the same time."""


def result_only(_given: tuple[Any, ...]) -> int:
    """Of what looks at its arguments from outside."""
    return 0


def once(given: tuple[Any, ...]) -> int:
    return sum(map(size_of, given))


def _times(factor: int) -> Cost:
    return lambda given: factor * once(given)


def _each(given: tuple[Any, ...]) -> int:
    """Of what does the same with each item of the first argument."""
    items, *others = given
    return size_of(items) + count_of(items) * sum(map(size_of, others))


def _comparing(given: tuple[Any, ...]) -> int:
    """Of what sorts."""
    return _each(given) * (count_of(given[0]).bit_length() + 2)


def charged(
    function: Callable[..., Any], cost: Cost = once, first: Callable[[Any], Any] | None = None
) -> Callable[..., Any]:
    """The filter or test, paying `cost` of what it is given and for what it makes. `first` says what its
    first argument may be, or makes it so."""
    wants = getattr(getattr(function, "jinja_pass_arg", None), "name", None)

    @pass_context
    def paying(context: Rendering, *args: Any, **kwargs: Any) -> Any:
        if first is not None and args:
            args = (first(args[0]), *args[1:])
        context.budget.spend(cost((*args, *kwargs.values())))
        if wants is not None:
            args = (_WANTED[wants](context), *args)
        result = function(*args, **kwargs)
        context.budget.spend(cost_of(result))
        return result

    return paying


_WANTED: Mapping[str, Callable[[Rendering], Any]] = {
    "context": lambda context: context,
    "eval_context": lambda context: context.eval_ctx,
    "environment": lambda context: context.environment,
}


def _offered(names: str, cost: Cost, first: Callable[[Any], Any] | None = None) -> dict[str, Any]:
    return {name: charged(FILTERS[name], cost, first) for name in names.split()}


OFFERED: Mapping[str, Callable[..., Any]] = {
    **_offered("count d default first last length", result_only),
    **_offered("abs", once),
    **_offered("capitalize lower string safe truncate upper", once, plain_only),
    **_offered("e escape forceescape title", _times(10), plain_only),
    **_offered("urlencode", _times(10), sized),
    **_offered("reverse", once, sized),
    **_offered("items", result_only),
    **_offered("list max min reject rejectattr select selectattr", _each, items_of),
    **_offered("dictsort sort unique", _comparing, items_of),
    "float": charged(_number(FILTERS["float"])),
    "format": charged(formatted),
    "int": charged(_number(FILTERS["int"])),
    "join": charged(_joined, _each, items_of),
    "map": charged(pass_context(_mapped), _each, items_of),
    "replace": charged(_replaced),
    "round": charged(_rounded),
    "sum": charged(pass_environment(_summed), _each, items_of),
    "trim": charged(trimmed, _times(10), plain_only),
    "wordcount": charged(_words_in, _times(10), plain_only),
    COUNTED: _counted,
    CONCATENATED: _concatenated,
    PLAIN: _plain,
    MADE: charged(_made, result_only),
    SIZED: to_compare,
}
