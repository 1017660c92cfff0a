"""How Go's templates take values, as filters that the translation of one uses. What a person does not have is
nothing: it prints nothing, has no fields and is not compared, so that nobody's e-mail fails for it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Undefined, pass_context

from mail.template.bounds import Rendering
from mail.template.filters import charged, check_format, formatted, result_only

NOTHING = ""
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_VERB = re.compile(r"%([-+]?)([0-9]*)(\.[0-9]*)?([svdf%])")


def printed(value: Any) -> Any:
    """True and false in lower case, a whole number without its point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return value


def or_nothing(value: Any) -> Any:
    return NOTHING if value is None or isinstance(value, Undefined) else value


def field(value: Any, *keys: Any) -> Any:
    """What stands under the first key, in that under the second, and so on: names in mappings, places in
    lists."""
    for key in keys:
        value = _item(value, key)
    return or_nothing(value)


def _item(value: Any, key: Any) -> Any:
    try:
        if isinstance(value, dict) or (isinstance(value, (list, tuple, str)) and key >= 0):
            return value[key]
    except (LookupError, TypeError):
        return NOTHING
    return NOTHING


def compares(left: Any, sign: str, right: Any) -> bool:
    """Values of different kinds have no order."""
    try:
        return _COMPARISONS[sign](left, right)
    except TypeError:
        return False


@pass_context
def printf(context: Rendering, layout: str, *values: Any) -> Any:
    """%d and %f of what is no number put out what it is."""
    check_format(layout)
    given = iter(values)

    def directive(found: re.Match[str]) -> str:
        sign, width, precision, verb = found[1], found[2], found[3] or "", found[4]
        if verb == "%":
            return "%%"
        value = next(given)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if verb in "df" and not is_number:
            return f"%{sign.replace('+', '')}{width}s"
        return f"%{sign}{width}{precision}{'s' if verb == 'v' else verb}"

    return formatted(context, _VERB.sub(directive, layout), *values)


OFFERED: Mapping[str, Callable[..., Any]] = {
    "as_go": charged(printed, result_only),
    "or_nothing": charged(or_nothing, result_only),
    "go_field": charged(field, result_only),
    "go_compares": charged(compares),
    "go_printf": charged(printf),
}
