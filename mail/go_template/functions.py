"""The functions of Go templates that are offered, each as what it comes to in Jinja."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Unreadable(Exception):
    """A reason; whoever knows the line makes a GoTemplateError of it."""


class Expression(NamedTuple):
    """`sure` when it is a text or a number for certain: it needs no care when printed."""

    jinja: str
    sure: bool = False

    @property
    def printed(self) -> str:
        return self.jinja if self.sure else f"{self.jinja} | as_go"


LONGEST_EXPRESSION = 20_000
"""Characters in Jinja: some of what is short in Go says a value several times."""

ROOT = "."
"""What the whole of the data is: of use as an argument of UnsubscribeURL and its like only."""


def quoted(text: str) -> str:
    """As a Jinja string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def field(value: str, *keys: str) -> Expression:
    """`value` and the keys are in Jinja. Nothing where there is no such field."""
    return Expression(f"({value} | go_field({', '.join(keys)}))" if keys else f"({value} | or_nothing)")


Function = Callable[[str, list[Expression]], Expression]


def _exactly(count: int, name: str, arguments: list[Expression]) -> None:
    if len(arguments) != count:
        raise Unreadable(f"{name} takes {count} argument{'' if count == 1 else 's'}")


def _at_least(count: int, name: str, arguments: list[Expression]) -> None:
    if len(arguments) < count:
        raise Unreadable(f"{name} takes at least {count} argument{'' if count == 1 else 's'}")


def _pattern(count: int, jinja: str, *, sure: bool = False) -> Function:
    def function(name: str, arguments: list[Expression]) -> Expression:
        _exactly(count, name, arguments)
        return Expression("(" + jinja.format(*(one.jinja for one in arguments)) + ")", sure)

    return function


def _joined(word: str, least: int) -> Function:
    def function(name: str, arguments: list[Expression]) -> Expression:
        _at_least(least, name, arguments)
        return Expression("(" + f" {word} ".join(one.jinja for one in arguments) + ")")

    return function


def _equal(name: str, arguments: list[Expression]) -> Expression:
    """True when the first is any of the others."""
    _at_least(2, name, arguments)
    first, *others = arguments
    if len(first.jinja) * len(others) > LONGEST_EXPRESSION:
        raise Unreadable(f"{name} is too long")
    return Expression("(" + " or ".join(f"{first.jinja} == {one.jinja}" for one in others) + ")")


def _index(name: str, arguments: list[Expression]) -> Expression:
    _at_least(2, name, arguments)
    return field(*(one.jinja for one in arguments))


def _print(name: str, arguments: list[Expression]) -> Expression:
    _at_least(1, name, arguments)
    return Expression("(" + " ~ ".join(f"({one.printed})" for one in arguments) + ")", sure=True)


_VERB = re.compile(r"%([-+0-9.]{0,5})(.?)")


def _printf(name: str, arguments: list[Expression]) -> Expression:
    _at_least(1, name, arguments)
    layout, *values = arguments
    if not layout.jinja.startswith('"'):
        raise Unreadable("printf takes its format in quotation marks")
    verbs = [verb for _, verb in _VERB.findall(layout.jinja) if verb != "%"]
    if not set(verbs) <= set("svdf") or len(verbs) != len(values):
        raise Unreadable("printf offers %s, %v, %d, %f and %%, and takes a value for each")
    given = ", ".join(
        value.jinja if verb in "df" else f"({value.printed})"
        for verb, value in zip(verbs, values, strict=True)
    )
    return Expression(f"({layout.jinja} | go_printf({given}))", sure=True)


def _track_link(name: str, arguments: list[Expression]) -> Expression:
    """The link itself: nothing is tracked."""
    if len(arguments) not in (1, 2) or (len(arguments) == 2 and arguments[1].jinja != ROOT):
        raise Unreadable(f"{name} takes one address")
    return arguments[0]


def _constant(jinja: str) -> Function:
    def function(name: str, arguments: list[Expression]) -> Expression:
        if [one.jinja for one in arguments] not in ([], [ROOT]):
            raise Unreadable(f"{name} takes no arguments")
        return Expression(jinja, sure=True)

    return function


_LAYOUT = {
    "2006": "today.year",
    "06": '("%02d" | format(today.year % 100))',
    "01": '("%02d" | format(today.month))',
    "1": "today.month",
    "02": '("%02d" | format(today.day))',
    "2": "today.day",
    "January": '(["January", "February", "March", "April", "May", "June", "July", "August", "September",'
    ' "October", "November", "December"][today.month - 1])',
    "Jan": '(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]'
    "[today.month - 1])",
}


def _date(name: str, arguments: list[Expression]) -> Expression:
    """`Date "2 January 2006"`: the day is known, the time is not."""
    if len(arguments) == 2 and arguments[1].jinja == ROOT:
        arguments = arguments[:1]
    _exactly(1, name, arguments)
    layout = arguments[0].jinja
    if not layout.startswith('"') or "\\" in layout:
        raise Unreadable("Date takes its layout in quotation marks")
    parts = re.findall(r"2006|January|Jan|0[126]|[12](?!\d)|[^\w]+|\w+", layout[1:-1])
    unknown = next((one for one in parts if one not in _LAYOUT and re.search(r"\d|Mon|MST|PM", one)), None)
    if unknown is not None:
        raise Unreadable(f"Date knows the day, the month and the year, not {unknown}")
    return Expression("(" + " ~ ".join(_LAYOUT.get(one) or quoted(one) for one in parts) + ")", sure=True)


FUNCTIONS: dict[str, Function] = {
    "eq": _equal,
    "ne": _pattern(2, "{0} != {1}"),
    "lt": _pattern(2, '{0} | go_compares("<", {1})'),
    "le": _pattern(2, '{0} | go_compares("<=", {1})'),
    "gt": _pattern(2, '{0} | go_compares(">", {1})'),
    "ge": _pattern(2, '{0} | go_compares(">=", {1})'),
    "and": _joined("and", 1),
    "or": _joined("or", 1),
    "not": _pattern(1, "not {0}"),
    "len": _pattern(1, "{0} | length", sure=True),
    "index": _index,
    "print": _print,
    "printf": _printf,
    "html": _pattern(1, "{0} | e"),
    "urlquery": _pattern(1, "{0} | urlencode"),
    "Safe": _pattern(1, "{0} | safe"),
    "default": _pattern(2, "{1} | default({0}, true)"),
    "coalesce": _joined("or", 1),
    "empty": _pattern(1, "not {0}"),
    "ternary": _pattern(3, "{0} if {2} else {1}"),
    "upper": _pattern(1, "{0} | upper", sure=True),
    "lower": _pattern(1, "{0} | lower", sure=True),
    "title": _pattern(1, "{0} | title", sure=True),
    "trim": _pattern(1, "{0} | trim", sure=True),
    "replace": _pattern(3, "{2} | replace({0}, {1})", sure=True),
    "contains": _pattern(2, "{0} in {1}"),
    "join": _pattern(2, "{1} | join({0})", sure=True),
    "first": _pattern(1, '{0} | first | default("")'),
    "last": _pattern(1, '{0} | last | default("")'),
    "Date": _date,
    "TrackLink": _track_link,
    "TrackView": _constant('""'),
    "UnsubscribeURL": _constant("unsubscribe_url"),
    "ManageURL": _constant("unsubscribe_url"),
}
NOT_OFFERED = {
    "OptinURL": "OptinURL is not offered: there is no page to confirm a subscription",
    "MessageURL": "MessageURL is not offered: messages have no page on the web",
    "ArchiveURL": "ArchiveURL is not offered: there is no public archive",
    "RootURL": "RootURL is not offered; write the address itself",
    "L": "L is not offered: there are no translations",
}
_TAKES_ROOT = frozenset({"TrackLink", "TrackView", "UnsubscribeURL", "ManageURL", "Date"})
NAMES = frozenset(FUNCTIONS) | frozenset(NOT_OFFERED)


def applied(name: str, arguments: list[Expression]) -> Expression:
    """A function with its arguments; what was piped in is the last of them."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise Unreadable(NOT_OFFERED.get(name) or f"the function {name} is not offered")
    if name not in _TAKES_ROOT and any(one.jinja == ROOT for one in arguments):
        raise Unreadable(f"{name} cannot be given the whole of the data")
    made = function(name, arguments)
    if len(made.jinja) > LONGEST_EXPRESSION:
        raise Unreadable(f"{name} is too long")
    return made
