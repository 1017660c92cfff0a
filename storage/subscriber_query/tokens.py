"""The words of a query expression, each with its place, and what is said about a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from domain.errors import Refused

LONGEST_QUERY = 5000  # characters


class QueryError(Refused):
    """`position` counts characters from 0."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"query: {reason} (at character {position + 1})", "query")
        self.reason = reason
        self.position = position


class QueryToken(NamedTuple):
    """`kind` is word, string, number, symbol or end; `text` of a word is in lower case, of a string what
    stands between its quotation marks."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text[:40])


_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<string>'(?:[^']|'')*')
      | (?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<symbol>->>|->|::|<>|!=|<=|>=|[=<>(),.?+-])
    """,
    re.VERBOSE,
)
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def tokens(query: str) -> list[QueryToken]:
    """Ends with a token of the kind `end`. Raises QueryError."""
    if len(query) > LONGEST_QUERY:
        refuse(f"an expression has at most {LONGEST_QUERY:,} characters", LONGEST_QUERY)
    if unkeepable := _UNKEEPABLE.search(query):
        refuse("NUL and lone surrogates are not taken", unkeepable.start())
    return list(_tokens(query.rstrip()))


def _tokens(query: str) -> Iterator[QueryToken]:
    at, end = 0, len(query.removesuffix(";"))
    while at < end:
        found = _TOKEN.match(query, at, end)
        if found is None:
            refuse(_why_not(query[at]), at)
        kind, text = str(found.lastgroup), found.group()
        if kind == "string":
            text = text[1:-1].replace("''", "'")
        elif kind == "word":
            text = text.lower()
        if kind != "blank":
            yield QueryToken(kind, text, at)
        at = found.end()
    yield QueryToken("end", "", end)


def _why_not(character: str) -> str:
    if character == "'":
        return "this quotation mark is not closed"
    if character == '"':
        return "texts stand between single quotation marks, as in 'Ann'"
    return f"{character!r} means nothing here"


def refuse(reason: str, position: int) -> NoReturn:
    raise QueryError(reason, position)
