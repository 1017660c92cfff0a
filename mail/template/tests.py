"""The tests that templates have (`is …`): those that take time pay for it, as filters do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import pass_context
from jinja2.tests import TESTS

from mail.template.bounds import Rendering, check_number, plain_only
from mail.template.filters import charged, to_compare

_COMPARING = "!= < <= == > >= eq equalto ge greaterthan gt le lessthan lt ne"
_LOOKING = (
    "boolean callable defined escaped false filter float integer iterable mapping none number sameas sequence"
    " string test true undefined"
)


def _counted(test: Callable[..., bool]) -> Callable[..., bool]:
    def checked(*numbers: Any) -> bool:
        check_number(*numbers)
        return test(*numbers)

    return checked


@pass_context
def _within(context: Rendering, value: Any, container: Any) -> bool:
    return value in to_compare(context, container)


_TESTS: Mapping[str, Any] = TESTS
OFFERED: Mapping[str, Callable[..., Any]] = {
    **{name: _TESTS[name] for name in _LOOKING.split()},
    "in": _within,
    **{name: charged(_TESTS[name]) for name in _COMPARING.split()},
    **{name: charged(_TESTS[name], first=plain_only) for name in ("lower", "upper")},
    **{name: charged(_counted(_TESTS[name])) for name in ("divisibleby", "even", "odd")},
}
