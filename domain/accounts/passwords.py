"""What a password may be: long, and not what everybody tries first (NIST SP 800-63B-4, section 3.1.1.2).
Nothing is asked of its characters, and it never has to be changed without a reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
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
    if any(plain in run for run in _RUNS) or any(is_common(core) for core in _cores(plain)):
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


def _cores(plain: str) -> Iterator[str]:
    """What is left without what people add to a common password, and without what they repeat."""
    for spelled in (plain, plain.translate(_LEET)):
        yield spelled
        core = _DECORATION.sub("", spelled)
        yield core
        yield core.translate(_LEET)
        yield from (_repeated(one) for one in (spelled, core))


def _repeated(text: str) -> str:
    """The part of which it consists, again and again; `text` itself where there is none."""
    period = (text + text).find(text, 1) if text else 0
    return text[:period]
