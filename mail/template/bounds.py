"""How much text and time one rendering of a template may take, and what it may print.

Whatever a template does is paid for from a budget of characters before it is done, by the size of what it is
done with: no single step takes longer than that lets it, and between steps the clock is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from datetime import date
from itertools import islice
from time import monotonic, thread_time
from typing import Any
from uuid import UUID

from jinja2 import Environment, Undefined
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.utils import missing

LONGEST_RANGE = 1000
LONGEST_LIST = 10_000
MOST_BITS = 1024
TOO_MUCH_TEXT = "it makes too much text"
PLAIN = (str, int, float, type(None), UUID, date, Undefined)

_EMPTY: dict[str, str] = {}
_HOLDING = (list, tuple, dict, type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))
_OF_A_LIST = 1
_OF_AN_ITEM = 10
_LARGEST = 100_000_000
"""More than anybody may spend."""


class OutOfBounds(Exception):
    """What a template may not do. The message holds nothing that the template was given."""


class Budget:
    """`text` is characters that may still be made, `seconds` the time of this thread that may be used.

    Asking for that costs a system call, so the first half goes by the clock on the wall. A process that stood
    still in it (a stalled machine, SIGSTOP) has the second half all the same."""

    __slots__ = ("_half", "_look_at", "_until", "text")

    def __init__(self, text: int, seconds: float) -> None:
        self.text = text
        self._half = seconds / 2
        self._look_at = monotonic() + self._half
        self._until: float | None = None

    def spend(self, characters: int) -> None:
        self.text -= characters
        if self.text < 0:
            raise OutOfBounds(TOO_MUCH_TEXT)
        if monotonic() > self._look_at:
            self._spend_second_half()

    def _spend_second_half(self) -> None:
        now = thread_time()
        if self._until is None:
            self._until = now + self._half
        elif now > self._until:
            raise OutOfBounds("it takes too long")


class Rendering(Context):
    """One rendering of one template. `names` is shared and never changed."""

    # What only templates that inherit or include change.
    name = None
    globals_keys: set[str] = set()  # noqa: RUF012
    blocks: dict[str, Any] = {}  # noqa: RUF012

    def __init__(
        self, environment: Environment, evaluation: EvalContext, names: dict[str, Any], budget: Budget
    ):
        # The parent's __init__ makes the same, more slowly, for templates that inherit.
        self.parent = names
        self.vars = {}
        self.environment = environment
        self.eval_ctx = evaluation
        self.exported_vars = set()
        self.budget = budget

    def resolve_or_missing(self, key: str) -> Any:
        if self.vars and key in self.vars:
            return self.vars[key]
        return self.parent.get(key, missing)


def plain_only(value: Any) -> Any:
    """Raises OutOfBounds for a list or mapping."""
    if not isinstance(value, PLAIN):
        raise OutOfBounds("a list or mapping cannot be printed; name the value in it, or join them")
    return value


def plain_text(value: Any) -> str:
    """What stands in the message for a value; nothing for None. Raises OutOfBounds for a list or mapping."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(plain_only(value))


def size_of(value: Any) -> int:
    """In characters, what lists, mappings and views of mappings hold included: as long as it takes to compare
    or copy it."""
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, _HOLDING):
        return 1
    waiting: list[Any] = [value]
    size = _OF_A_LIST
    while waiting and size <= _LARGEST:
        one = waiting.pop()
        items = (*one, *one.values()) if isinstance(one, dict) else one
        size += _OF_AN_ITEM * len(items)
        for item in items:
            if isinstance(item, str):
                size += len(item)
            elif isinstance(item, (list, tuple, dict)):
                waiting.append(item)
    return size


def count_of(values: Any) -> int:
    """How many items there are to go through."""
    return len(values) if isinstance(values, (str, *_HOLDING)) else 1


def items_of(values: Any) -> Any:
    """What can be gone through more than once. Raises OutOfBounds for a long list."""
    if not isinstance(values, Sized) and isinstance(values, Iterable) and not isinstance(values, Undefined):
        values = list(islice(values, LONGEST_LIST + 1))
    if isinstance(values, Sized) and not isinstance(values, Undefined) and len(values) > LONGEST_LIST:
        raise OutOfBounds(f"a list is longer than {LONGEST_LIST:,}")
    return values


def sized(value: Any) -> Any:
    """As it is, but for what is made while somebody goes through it."""
    return items_of(value) if isinstance(value, Iterator) else value


def check_number(*numbers: Any) -> None:
    """Raises OutOfBounds for those that are slow to reckon with."""
    if any(isinstance(number, int) and number.bit_length() > MOST_BITS for number in numbers):
        raise OutOfBounds("a number is too large")


def cost_of(value: Any) -> int:
    return len(value) if isinstance(value, (str, list)) else 1
