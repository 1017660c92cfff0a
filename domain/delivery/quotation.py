"""Finding a known e-mail address in what a server wrote, in the many ways servers quote one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

_CODE = r"(?:[245]\d\d[ -])?(?:[245]\.\d{1,3}\.\d{1,3}[ \t]+)?"
_BROKEN_LINE = rf"[ \t]*[\r\n]+[ \t]*{_CODE}"
_AT = re.compile(r" ?(?:@|=|%|\(at\)|\[at\]| at ) ?")
# How a text is taken apart: as it is, and with the hexadecimal octets after one of the signs decoded.
_CODED = {"": "(?!)", "%": "(?:%[0-9a-f]{2})+", "+": r"(?:\+[0-9a-f]{2})+", "=": "(?:=[0-9a-f]{2})+"}
_PIECES = {
    sign: re.compile(rf"(?P<broken>{_BROKEN_LINE})|(?P<coded>{coded})|.", re.IGNORECASE | re.DOTALL)
    for sign, coded in _CODED.items()
}


def replace_quotations(text: str, address: str, mark: str) -> str:
    """The text with `mark` wherever `address` is quoted; see `reply.sanitise` for the ways."""
    local, _, domain = address.rpartition("@")
    local = _Bare.of(local, "").text
    if not local:
        return text
    domains = _forms_of(domain)
    for sign, coded in _CODED.items():
        if not sign or re.search(coded, text, re.IGNORECASE):
            bare = _Bare.of(text, sign)
            text = bare.marked(text, bare.addresses(local, domains), mark)
    bare = _Bare.of(text, "")
    return bare.marked(text, bare.words(local), mark) if len(local) > 2 else text


class _Bare(NamedTuple):
    """A text in small letters, without quotes, line breaks and what cannot be seen, and for each of its
    characters the place in the text that it comes from."""

    text: str
    places: list[tuple[int, int]]

    @classmethod
    def of(cls, text: str, sign: str) -> _Bare:
        characters: list[str] = []
        places: list[tuple[int, int]] = []
        for piece in _PIECES[sign].finditer(text):
            shown = piece.group()
            if piece.lastgroup == "coded":
                shown = bytes.fromhex(shown.replace(sign, "")).decode("utf-8", "replace")
            elif piece.lastgroup == "broken" or shown in '"\\' or not shown.isprintable():
                continue
            for character in shown.casefold():
                characters.append(character)
                places.append(piece.span())
        return cls("".join(characters), places)

    def addresses(self, local: str, domains: set[str]) -> list[tuple[int, int]]:
        found = ((start, self._end_of_address(start + len(local), domains)) for start in self._finds(local))
        return [(start, end) for start, end in found if end is not None]

    def words(self, local: str) -> list[tuple[int, int]]:
        """Where the local part stands alone."""
        found = ((start, start + len(local)) for start in self._finds(local))
        return [(start, end) for start, end in found if self._is_word(start, end)]

    def _finds(self, local: str) -> Iterator[int]:
        start = self.text.find(local)
        while start >= 0:
            yield start
            start = self.text.find(local, start + 1)

    def _end_of_address(self, at: int, domains: set[str]) -> int | None:
        sign = _AT.match(self.text, at)
        if sign is None:
            return None
        fitting = (domain for domain in domains if self.text.startswith(domain, sign.end()))
        return max((sign.end() + len(domain) for domain in fitting), default=None)

    def _is_word(self, start: int, end: int) -> bool:
        before, after = self.text[start - 1 : start], self.text[end : end + 1]
        return (self._is_gap(start) or not (before.isalnum() or before in "_.+-")) and (
            self._is_gap(end) or not (after.isalnum() or after in "_+-")
        )

    def _is_gap(self, at: int) -> bool:
        """Whether the text begins or ends here, or something was left out."""
        return at in (0, len(self.text)) or self.places[at - 1][1] < self.places[at][0]

    def marked(self, text: str, found: list[tuple[int, int]], mark: str) -> str:
        for start, end in reversed(found):
            before, after = text[: self.places[start][0]], text[self.places[end - 1][1] :]
            text = before.rstrip('"').removesuffix("<") + mark + after.lstrip('"').removeprefix(">")
        return text


def _forms_of(domain: str) -> set[str]:
    """In small letters, as it is and in both forms of IDNA."""
    forms = {domain.casefold()}
    with suppress(UnicodeError):
        forms.add(domain.encode("idna").decode().casefold())
    with suppress(UnicodeError):
        forms.add(domain.encode().decode("idna").casefold())
    return forms
