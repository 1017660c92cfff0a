"""Query expressions as listmonk has them, in a safe subset: read here, never handed on as SQL.

    or         = and { "OR" and }
    and        = not { "AND" not }
    not        = "NOT" not | comparison { "IS" [ "NOT" ] "NULL" }
    comparison = pattern [ ( "=" | "!=" | "<>" | "<" | ">" | "<=" | ">=" ) pattern ]
    pattern    = path [ [ "NOT" ] ( "LIKE" path | "ILIKE" path | "IN" "(" path { "," path } ")"
                                  | "BETWEEN" path "AND" path ) ]
    path       = atom { ( "->" | "->>" ) ( string | integer ) | "?" string }
    atom       = ( "(" or ")" | column | string | [ "-" | "+" ] number | "TRUE" | "FALSE" ) { "::" type }
    column     = [ "subscribers" "." ] name

Operators bind as in PostgreSQL, so `attribs->>'age'::int` would cast the key: what is cast needs
parentheses, as in `(attribs->>'age')::int`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from storage.subscriber_query.tokens import QueryError, QueryToken, refuse, tokens
from storage.subscriber_query.values import (
    Value,
    as_kind,
    boolean,
    cast,
    column,
    literal,
    negative,
    number,
)

DEEPEST = 50
MOST_ALTERNATIVES = 1000
COMPARISONS = {"=": "=", "!=": "<>", "<>": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}


@dataclass(frozen=True)
class Condition:
    """Stands in a WHERE clause over `recipients AS r`. The SQL is made of our own words alone; whatever was
    given is in `parameters`."""

    sql: str
    parameters: tuple[Any, ...]


def condition(query: str) -> Condition:
    """Raises QueryError, which names the place."""
    reader = _QueryReader(tokens(query))
    value = reader.whole()
    return Condition(value.sql, value.parameters)


class _QueryReader:
    def __init__(self, tokens: list[QueryToken]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Value:
        value = self._truth(self._either())
        if self._peek().kind != "end":
            refuse(f"{self._peek()} was not expected here", self._peek().at)
        return value

    def _either(self) -> Value:
        return self._joined("or", self._both)

    def _both(self) -> Value:
        return self._joined("and", self._negation)

    def _joined(self, word: str, part: Callable[[], Value]) -> Value:
        first = part()
        parts = [first]
        while self._takes(word):
            parts.append(part())
        if len(parts) == 1:
            return first
        return _together([self._truth(one) for one in parts], f" {word.upper()} ", first.at)

    def _negation(self) -> Value:
        token = self._peek()
        if self._takes("not"):
            self._deeper(token)
            value = self._truth(self._negation())
            self._depth -= 1
            return replace(value, sql=f"(NOT {value.sql})", given=None)
        return self._presence(self._comparison())

    def _presence(self, value: Value) -> Value:
        while self._takes("is"):
            negated = self._takes("not")
            self._needs("null")
            sql = f"({value.sql} IS {'NOT ' if negated else ''}NULL)"
            value = Value("boolean", sql, value.parameters, value.at)
        return value

    def _comparison(self) -> Value:
        left = self._pattern()
        operator = self._peek()
        if operator.kind != "symbol" or operator.text not in COMPARISONS:
            return left
        self._next += 1
        right = self._pattern()
        return _compared(left, COMPARISONS[operator.text], right, operator.at)

    def _pattern(self) -> Value:
        value = self._path()
        start = self._next
        negated = self._takes("not")
        token = self._peek()
        for word, rest in (("like", self._like), ("ilike", self._like), ("in", self._in),
                           ("between", self._between)):  # fmt: skip
            if self._takes(word):
                found = rest(value, token)
                return replace(found, sql=f"(NOT {found.sql})") if negated else found
        self._next = start
        return value

    def _like(self, value: Value, word: QueryToken) -> Value:
        pattern = as_kind(self._path(), "text")
        value = as_kind(value, "text")
        if value.kind != "text" or not isinstance(pattern.given, str):
            refuse(f"{word.text.upper()} compares a text with a pattern in quotation marks", word.at)
        if (len(pattern.given) - len(pattern.given.rstrip("\\"))) % 2:
            refuse("a pattern cannot end with a single backslash", pattern.at)
        return _together([value, pattern], f" {word.text.upper()} ", value.at)

    def _in(self, value: Value, word: QueryToken) -> Value:
        self._needs("(")
        alternatives = [self._path()]
        while self._takes(","):
            alternatives.append(self._path())
            if len(alternatives) > MOST_ALTERNATIVES:
                refuse(f"IN takes at most {MOST_ALTERNATIVES:,} values", word.at)
        self._needs(")")
        same = [_compared(value, "=", one, word.at) for one in alternatives]
        return _together(same, " OR ", value.at)

    def _between(self, value: Value, word: QueryToken) -> Value:
        least = self._path()
        self._needs("and")
        most = self._path()
        bounds = [_compared(value, ">=", least, word.at), _compared(value, "<=", most, word.at)]
        return _together(bounds, " AND ", value.at)

    def _path(self) -> Value:
        value = self._atom()
        while (operator := self._peek()).text in ("->", "->>", "?") and operator.kind == "symbol":
            self._next += 1
            if value.kind != "json":
                refuse(f"{operator.text} follows attribs or what -> finds in it", operator.at)
            key = self._key(operator)
            if operator.text == "?":
                value = Value(
                    "boolean", f"({value.sql} ? {key.sql})", value.parameters + key.parameters, value.at
                )
                break
            kind = "text" if operator.text == "->>" else "json"
            value = replace(
                value, kind=kind, sql=f"({value.sql} {operator.text} {key.sql})",
                parameters=value.parameters + key.parameters,
            )  # fmt: skip
        return value

    def _key(self, operator: QueryToken) -> Value:
        token = self._take()
        after = self._peek()
        if after.text == "::":
            refuse("put what is to be cast in parentheses: (attribs->>'age')::int", after.at)
        if token.kind == "string":
            return literal(token.text, token.at)
        if token.kind == "number" and token.text.isdigit() and len(token.text) < 10 and operator.text != "?":
            return Value("number", "%s::integer", (int(token.text),), token.at)
        raise QueryError(
            f"after {operator.text} comes a key in quotation marks, as in attribs->>'city'", token.at
        )

    def _atom(self) -> Value:
        value = self._bare()
        while self._takes("::"):
            value = cast(value, self._take())
        return value

    def _bare(self) -> Value:
        token = self._take()
        if token.text == "(" and token.kind == "symbol":
            self._deeper(token)
            value = self._either()
            self._needs(")")
            self._depth -= 1
            return value
        if token.kind == "string":
            return literal(token.text, token.at)
        if token.kind == "number":
            return number(token.text, token.at)
        if token.kind == "symbol" and token.text in "+-" and self._peek().kind == "number":
            value = number(self._take().text, token.at)
            return negative(value) if token.text == "-" else value
        if token.kind != "word":
            refuse(f"a column, a value or an opening parenthesis was expected, not {token}", token.at)
        return self._word(token)

    def _word(self, token: QueryToken) -> Value:
        if token.text in ("true", "false"):
            return boolean(token.text == "true", token.at)
        if token.text == "null":
            refuse("nothing is equal to NULL: write IS NULL or IS NOT NULL", token.at)
        if self._takes("("):
            refuse(f"functions and subqueries are not offered ({token.text})", token.at)
        if self._takes("."):
            if token.text != "subscribers":
                refuse(f"only columns of subscribers can be asked for, not of {token}", token.at)
            token = self._take()
        return column(token)

    def _truth(self, value: Value) -> Value:
        if value.kind != "boolean":
            refuse(f"a comparison was expected, not a {value.kind}", value.at)
        return value

    def _deeper(self, token: QueryToken) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            refuse(f"expressions are nested at most {DEEPEST} deep", token.at)

    def _peek(self) -> QueryToken:
        return self._tokens[self._next]

    def _take(self) -> QueryToken:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _takes(self, text: str) -> bool:
        token = self._peek()
        if token.text != text or token.kind not in ("word", "symbol"):
            return False
        self._next += 1
        return True

    def _needs(self, text: str) -> None:
        if not self._takes(text):
            refuse(f"{text.upper()!r} was expected, not {self._peek()}", self._peek().at)


def _together(values: list[Value], between: str, at: int) -> Value:
    sql = between.join(value.sql for value in values)
    parameters = tuple(one for value in values for one in value.parameters)
    return Value("boolean", f"({sql})", parameters, at)


def _compared(left: Value, operator: str, right: Value, at: int) -> Value:
    if left.kind == right.kind == "literal":
        left = as_kind(left, "text")
    left, right = as_kind(left, right.kind), as_kind(right, left.kind)
    if left.kind != right.kind or left.kind == "json":
        hint = (
            "; cast the attribute, as in (attribs->>'age')::int" if "text" in (left.kind, right.kind) else ""
        )
        refuse(f"a {left.kind} cannot be compared with a {right.kind}{hint}", at)
    if operator not in ("=", "<>") and left.kind in ("text", "date"):
        left = replace(left, sql=f'({left.sql} COLLATE "C")')
    return _together([left, right], f" {operator} ", left.at)
