"""Reading one field of a command: each check returns the value or says what is wrong and what is
allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from domain.errors import Refused
from domain.streams import LARGEST_NUMBER

LONGEST_REASON = 500
MOST_TAGS, LONGEST_TAG = 50, 100

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


DEEPEST = 100
"""Levels of lists and objects in one another that data may have: whoever reads more could fail at it."""


def refuse(field: str, message: str) -> NoReturn:
    raise Refused(f"{field}: {message}", field)


def text(value: object, field: str, longest: int, shortest: int = 0) -> str:
    """A line of text without CR, LF, NUL and other control characters, trimmed."""
    if not isinstance(value, str):
        refuse(field, f"{value!r} is not a text")
    value = value.strip()
    if _CONTROL.search(value):
        refuse(field, "line breaks, NUL and other control characters are not allowed")
    if not value.isprintable() and any("\ud800" <= character <= "\udfff" for character in value):
        refuse(field, "this is not valid Unicode text")
    if len(value) < shortest:
        refuse(field, "is missing" if not value else f"at least {shortest} characters")
    if len(value) > longest:
        refuse(field, f"at most {longest} characters are allowed, these are {len(value)}")
    return value


def whole(value: object, field: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(field, f"{value!r} is not a whole number from {least} to {most}")
    if not least <= value <= most:
        refuse(field, f"{value} is not from {least} to {most}")
    return value


def between(least: int, most: int) -> Callable[[object, str], int]:
    return lambda value, field: whole(value, field, least, most)


def reason(value: object, shortest: int = 0) -> str:
    """Why somebody does something, which is kept with it."""
    return text(value, "reason", LONGEST_REASON, shortest)


def flag(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        refuse(field, f"{value!r} is neither true nor false")
    return value


def choice(value: object, field: str, allowed: Iterable[str]) -> str:
    allowed = [str(one) for one in allowed]
    if not isinstance(value, str) or value not in allowed:
        refuse(field, f"{value!r} is not one of {', '.join(allowed)}")
    return str(value)


def tags(value: object, field: str) -> list[str]:
    """Each once, in their order."""
    if not isinstance(value, list | tuple) or len(value) > MOST_TAGS:
        refuse(field, f"is not a list of at most {MOST_TAGS} texts")
    return list(dict.fromkeys(text(one, field, longest=LONGEST_TAG, shortest=1) for one in value))


def numbers(value: object, field: str, of_what: str) -> list[int]:
    """At least one positive number, each once, ascending."""
    if not isinstance(value, Collection) or isinstance(value, str | bytes) or not value:
        refuse(field, f"at least one {of_what} is needed")
    return sorted({whole(one, field, 1, LARGEST_NUMBER) for one in value})


def instant(value: object, field: str) -> datetime:
    """An aware datetime, or one in ISO 8601."""
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        refuse(field, f"{value!r} is not a date and time with a time zone")
    return value


def _parsed(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def body(value: object, field: str) -> str:
    """Its SHA-256 in hexadecimal: the body itself is kept elsewhere."""
    if not (isinstance(value, str) and _SHA256.fullmatch(value)):
        refuse(field, "is not the SHA-256 of a body that was kept")
    return value


def known(given: Iterable[str], allowed: Collection[str]) -> None:
    unknown = {name: f"{name}: there is no such field" for name in given if name not in allowed}
    if unknown:
        raise Refused.for_fields(unknown)


def is_nested_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects stand in one another in more than so many levels."""
    waiting = [(value, 0)]
    while waiting:
        one, level = waiting.pop()
        if isinstance(one, list | tuple | Mapping):
            if level == levels:
                return True
            waiting += [(each, level + 1) for each in (one.values() if isinstance(one, Mapping) else one)]
    return False


class Checks:
    """Collects what is wrong, so that a form learns of all its errors at once."""

    def __init__(self) -> None:
        self._wrong: dict[str, str] = {}

    def run(self, check: Any, *arguments: Any) -> Any:
        """What the check returns, or None when it refuses."""
        try:
            return check(*arguments)
        except Refused as refused:
            for field, message in refused.fields.items():
                self._wrong.setdefault(field, message)
            return None

    def done(self) -> None:
        if self._wrong:
            raise Refused.for_fields(self._wrong)
