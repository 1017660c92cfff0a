"""How what a text takes grows with its length, and texts that grow in ways that have been slow."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import thread_time
from typing import Any

from domain.errors import Refused
from mail.go_template.expressions import GoTemplateError
from mail.smtp.replies import ReplyError
from mail.template.render import MessageError
from web.http.errors import Refusal

Measure = Callable[[str], float]
Text = Callable[[int], str]
"""Of about a length."""

LONGEST = 16_000
LONGEST_JSON = 256_000
GROWTH = 9.0
"""Of what a text of four times the length takes: 4 where it is linear, 16 where it is quadratic."""
FAST = 0.02
"""Seconds of processor time. What takes no more for the longest text is not measured again."""
SMALL = 4e6
"""Bytes, likewise."""


def seconds(parse: Callable[[str], Any]) -> Measure:
    def measured(text: str) -> float:
        gc.disable()  # which looks at everything that the tests have made, at any moment
        began = thread_time()
        try:
            with suppress(MessageError, GoTemplateError, ReplyError, Refused, Refusal, ValueError):
                parse(text)
            return thread_time() - began
        finally:
            gc.enable()

    return measured


def peak(parse: Callable[[str], Any]) -> Measure:
    """Bytes that Python's objects have at most while it is parsed."""

    def measured(text: str) -> float:
        tracemalloc.start()
        try:
            seconds(parse)(text)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measured


def growth_of(measure: Measure, text: Text, little: float, longest: int = LONGEST) -> float:
    """How many times more the longest text takes than one of a quarter of it; 1 when it takes little."""
    whole, quarter = text(longest), text(longest // 4)
    if measure(whole) < little:
        return 1.0
    # What is seen once on a busy machine may be the machine.
    growth = inf
    for _ in range(5):
        growth = min(growth, measure(whole) / max(measure(quarter), 1e-6))
        if growth <= GROWTH:
            break
    return growth


def repeated(unit: str, size: int) -> str:
    return unit * (size // len(unit))


def long_before_many(name: str, between: str, unit: str, size: int) -> str:
    return repeated(name, size // 2) + between + repeated(unit, size // 2)


def many_long(name: str, between: str, unit: str, size: int) -> str:
    """As many as each of them is long."""
    side = int(size**0.5)
    return (repeated(name, side) + between + unit) * (size // (side + len(between + unit)))


def _over(inner: str, last: str = '"\\b"') -> Text:
    """A list of it, under a name that is as long as the list."""
    return lambda size: f'{{"{"K" * (size // 2)}":[{repeated(inner + ",", size // 2)}{last}]}}'


def _nested(size: int) -> str:
    """Names in names, a hundred deep, over a list."""
    name = "K" * (size // 200)
    return f'{{"{name}":' * 100 + f"[{_wrong(size // 2)}]" + "}" * 100


def _wrong(size: int) -> str:
    return repeated('"\\b",', size) + '"\\b"'


JSON_SHAPES: dict[str, Text] = {
    "a long name over many wrong": _over('"\\b"'),
    "a long name over many numbers": _over("1"),
    "a long name over many objects": _over('{"a":1}'),
    "a long name over many wrong objects": _over('{"a":"\\b"}'),
    "a long name over many lists": _over("[[]]"),
    "a long name over many texts": _over('"a"', '"a"'),
    "many numbers": lambda size: f"[{repeated('1,', size)}1]",
    "many objects": lambda size: f"[{repeated('{},', size)}1]",
    "long names in one another": _nested,
    "many wrong": lambda size: f"[{_wrong(size)}]",
    "many names": lambda size: "{" + ",".join(f'"n{n}":1' for n in range(size // 9)) + "}",
    "many wrong names": lambda size: "{" + ",".join(f'"\\b{n}":"\\b"' for n in range(size // 13)) + "}",
    "deep": lambda size: "[" * (size // 2) + '"\\b"' + "]" * (size // 2),
    "one long text": lambda size: '"' + repeated("\\b", size) + '"',
    "many long names": lambda size: "{" + ",".join(
        f'"{n}{"K" * int(size**0.5)}":["\\b"]' for n in range(int(size**0.5))) + "}",
}  # fmt: skip
