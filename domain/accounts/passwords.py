"""What a password may be: long, and not what everybody tries first (NIST SP 800-63B-4, section 3.1.1.2).
Nothing is asked of its characters, and it never has to be changed without a reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from typing import NoReturn

from domain.errors import Refused

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
SHORTEST_WORD = 3

_ROWS = (
    "1234567890" * 4,
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
_RUNS = tuple(row * 2 for row in _ROWS) + tuple(row[::-1] * 2 for row in _ROWS)
_LEET = str.maketrans("@4301!57$8", "aaeoiistsb")
_DECORATION = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_BETWEEN = re.compile(r"[\s\-_.,;:/+*']+")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_OFTEN_ADDED = re.compile(
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|spring|summer|autumn|fall|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
    "|today|now|please|new|my|the"
)
_FAMOUS = ("correcthorsebatterystaple", "thequickbrownfox", "tobeornottobe", "maytheforcebewithyou")
_LAYOUTS = (
    ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"),
    ("1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm"),
)
_PLACES = tuple(
    {key: (line, place) for line, keys in enumerate(rows) for place, key in enumerate(keys)}
    for rows in _LAYOUTS
)
_WALKED = 0.75
"""Of the steps from one character to the next: to the same key or one beside it."""


def checked_password(password: str, about: Collection[str], is_common: Callable[[str], bool]) -> str:
    """`about` are the user's name and address and what the site is called, which people take for passwords;
    `is_common` looks into a list, in lower case. Raises Refused, without the password."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        refuse(f"from {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters are expected")
    plain = password.casefold()
    left = _without(plain, about)
    if left < min(len(plain), SHORTEST_PASSWORD):
        refuse("it consists mostly of the name, the address or the name of this site")
    if len(set(password)) < 5:
        refuse("too few different characters")
    if _is_walked(plain) or any(core in _FAMOUS or is_common(core) for core in _cores(plain)):
        refuse("it is too common; a few unrelated words are better")
    return password


def refuse(why: str) -> NoReturn:
    raise Refused(f"password: {why}", "password")


def words_of(text: str) -> set[str]:
    """Of an address or a host name: itself, and its parts."""
    return {
        word
        for word in (text.casefold(), *re.split(r"[\W_]+", text.casefold()))
        if len(word) >= SHORTEST_WORD
    }


def _without(plain: str, about: Collection[str]) -> int:
    """How long it is without those words."""
    for word in sorted({word for text in about for word in words_of(text)}, key=len, reverse=True):
        plain = plain.replace(word, "")
    return len(plain)


def _is_walked(plain: str) -> bool:
    """Whether fingers went along the keyboard, or the alphabet."""
    text = _BETWEEN.sub("", plain)
    if any(one in run for run in _RUNS for one in (plain, text)):
        return True
    steps = list(pairwise(text))
    if text.isdigit() or not steps:
        return False
    most = max(
        sum(_is_beside(places.get(one), places.get(other)) for one, other in steps) for places in _PLACES
    )
    return most >= _WALKED * len(steps)


def _is_beside(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    """On keyboards each row is about half a key to the right of the one above it."""
    if one is None or other is None:
        return False
    down, right = other[0] - one[0], other[1] - one[1]
    return (down, right) in ((0, 0), (0, 1), (0, -1), (1, 0), (1, -1), (-1, 0), (-1, 1))


def _cores(plain: str) -> Iterator[str]:
    """What is left without what people add to a common password, put between its letters or repeat."""
    for spelled in (plain, plain.translate(_LEET)):
        for text in (spelled, _BETWEEN.sub("", spelled)):
            yield text
            core = _DECORATION.sub("", text)
            yield core
            yield core.translate(_LEET)
            yield from (_repeated(one) for one in (text, core))
        yield from _without_additions(_NO_LETTERS.sub("", spelled))


def _without_additions(letters: str) -> Iterator[str]:
    """`password` where there is nothing but months and the like, which nobody has to guess."""
    left = _OFTEN_ADDED.sub("", letters)
    if left != letters:
        yield _repeated(left) if len(left) >= SHORTEST_WORD else "password"


def _repeated(text: str) -> str:
    """The part of which it consists, again and again; `text` itself where there is none."""
    period = (text + text).find(text, 1) if text else 0
    return text[:period]
