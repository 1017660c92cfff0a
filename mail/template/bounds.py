"""How much text and time one rendering of a template may take, and what it may print."""

from __future__ import annotations

from datetime import date
from time import monotonic, thread_time
from typing import Any
from uuid import UUID

from jinja2 import Environment, Undefined
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.utils import missing

LONGEST_RANGE = 1000
LONGEST_LIST = 10_000
TOO_MUCH_TEXT = "it makes too much text"
PLAIN = (str, int, float, type(None), UUID, date, Undefined)


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


def plain_text(value: Any) -> str:
    """What stands in the message for a value; nothing for None. Raises Refused for a list or mapping."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if not isinstance(value, PLAIN):
        raise OutOfBounds("a list or mapping cannot be printed; name the value in it, or join them")
    return str(value)


def spend_for(budget: Budget, *values: Any, times: Any = 1) -> None:
    lengths = sum(len(value) for value in values if isinstance(value, (str, list, tuple)))
    made = lengths * max(times, 0) if isinstance(times, int) else lengths
    if any(isinstance(value, (list, tuple)) for value in values) and made > LONGEST_LIST:
        raise OutOfBounds(f"a list is longer than {LONGEST_LIST:,}")
    budget.spend(made)


def cost_of(value: Any) -> int:
    return len(value) if isinstance(value, (str, list)) else 1
