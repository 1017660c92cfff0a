"""What stands between two values of a template: paid for first, and no number grows without end."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from mail.template import filters
from mail.template.bounds import LONGEST_LIST, MOST_BITS, OutOfBounds, Rendering, check_number, size_of

_LARGEST_EXPONENT = 64
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
OFFERED = frozenset(_OPERATORS)


def applied(context: Rendering, sign: str, left: Any, right: Any) -> Any:
    """Raises OutOfBounds."""
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        _check_numbers(sign, left, right)
    elif sign == "%" and isinstance(left, str):
        return filters.formatted(context, left, *(right if isinstance(right, tuple) else (right,)))
    elif sign == "*":
        _spend_for_copies(context, left, right)
    else:
        _check_length(left, right)
        context.budget.spend(size_of(left) + size_of(right))
    return _OPERATORS[sign](left, right)


def _spend_for_copies(context: Rendering, left: Any, right: Any) -> None:
    value, times = (right, left) if isinstance(left, int) else (left, right)
    if isinstance(times, int):
        _check_length(value, times=max(times, 0))
        context.budget.spend(size_of(value) * max(times, 0))


def _check_length(*values: Any, times: int = 1) -> None:
    if sum(len(value) for value in values if isinstance(value, (list, tuple))) * times > LONGEST_LIST:
        raise OutOfBounds(f"a list is longer than {LONGEST_LIST:,}")


def _check_numbers(sign: str, left: float, right: float) -> None:
    check_number(left, right)
    if sign == "**" and (abs(right) > _LARGEST_EXPONENT or _bits(left) * abs(right) > MOST_BITS):
        raise OutOfBounds("the power is too large")
    if sign == "*" and _bits(left) + _bits(right) > MOST_BITS:
        raise OutOfBounds("the product is too large")


def _bits(number: float) -> int:
    return number.bit_length() if isinstance(number, int) else 1
