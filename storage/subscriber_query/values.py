"""What a query expression compares: columns, attributes and literals as SQL with bound parameters.

A cast of an attribute that does not fit gives NULL, where PostgreSQL would fail for everybody because of one
person. Texts are ordered by code point, dates are those of UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from storage.subscriber_query.tokens import QueryError, QueryToken, refuse

LONGEST_NUMBER = 40  # digits


@dataclass(frozen=True)
class Value:
    """`kind` is text, number, boolean, date, instant, uuid, json or literal: a text in quotation marks,
    which becomes what it is compared with. `given` is the value of a literal of any kind."""

    kind: str
    sql: str
    parameters: tuple[Any, ...]
    at: int
    given: Any = None


# Date as text: in ISO 8601 both are ordered alike, and a 30 February does no harm.
COLUMNS = {
    "id": ("number", "r.number"),
    "uuid": ("uuid", "r.uuid"),
    "email": ("text", "r.email"),
    "name": ("text", "r.name"),
    "status": ("text", "r.status"),
    "created_at": ("instant", "r.created_at"),
    "updated_at": ("instant", "r.updated_at"),
    "attribs": ("json", "r.attributes"),
}

CASTS = {
    "int": "integer", "integer": "integer", "bigint": "integer", "numeric": "number", "decimal": "number",
    "boolean": "boolean", "bool": "boolean", "date": "date", "text": "text",
}  # fmt: skip

# Doubled percent signs and no others: the text is given to psycopg2 together with parameters.
_FROM_TEXT = {
    "integer": "CASE WHEN {0} ~ '^ *[+-]?[0-9]{{1,40}} *$' THEN ({0})::numeric END",
    "number": (
        "CASE WHEN {0} ~ '^ *[+-]?([0-9]{{1,40}}([.][0-9]{{0,40}})?|[.][0-9]{{1,40}})([eE][+-]?[0-9]{{1,2}})?"
        " *$' THEN ({0})::numeric END"
    ),
    "boolean": (
        "CASE WHEN lower({0}) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true"
        " WHEN lower({0}) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END"
    ),
    "date": "CASE WHEN {0} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ].*)?$' THEN left({0}, 10) END",
}
_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")


def column(token: QueryToken) -> Value:
    if token.text not in COLUMNS:
        refuse(f"there is no column {token}; there are {', '.join(COLUMNS)}", token.at)
    kind, sql = COLUMNS[token.text]
    return Value(kind, sql, (), token.at)


def literal(text: str, at: int) -> Value:
    return Value("literal", "%s::text", (text,), at, text)


def number(text: str, at: int) -> Value:
    if len(text) > LONGEST_NUMBER:
        refuse(f"a number has at most {LONGEST_NUMBER} digits", at)
    value: int | Decimal = Decimal(text) if "." in text else int(text)
    return Value("number", "%s", (value,), at, value)


def negative(value: Value) -> Value:
    return replace(value, parameters=(-value.given,), given=-value.given)


def boolean(value: bool, at: int) -> Value:
    return Value("boolean", "%s::boolean", (value,), at, value)


def cast(value: Value, to: QueryToken) -> Value:
    target = CASTS.get(to.text)
    if target is None:
        refuse(f"{to} is no type to cast to; there are {', '.join(CASTS)}", to.at)
    kind = "number" if target == "integer" else target
    if value.kind == "literal":
        return as_kind(value, kind)
    if value.kind == "text" and target in _FROM_TEXT:
        return _from_text(value, target, kind)
    if value.kind == "instant" and kind == "date":
        return replace(value, kind="date", sql=f"to_char({value.sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD')")
    if value.kind == "uuid" and kind == "text":
        return replace(value, kind="text", sql=f"({value.sql})::text")
    if value.kind == kind and (target != "integer" or value.given is None or isinstance(value.given, int)):
        return value
    raise QueryError(f"a {value.kind} cannot be cast to {to.text}", to.at)


def _from_text(value: Value, target: str, kind: str) -> Value:
    pattern = _FROM_TEXT[target]
    times = pattern.count("{0}")
    return replace(
        value, kind=kind, sql=f"({pattern.format(value.sql)})", parameters=value.parameters * times
    )


def as_kind(value: Value, kind: str) -> Value:
    """A literal as what it is compared with; any other value as it is. Raises QueryError."""
    if value.kind != "literal":
        return value
    reader = _READERS.get(kind)
    if reader is None:
        refuse(f"a {kind} cannot be compared with a text", value.at)
    try:
        sql, given = reader(value.given)
    except (ValueError, ArithmeticError, OverflowError):
        refuse(f"{value.given[:40]!r} is no {kind}", value.at)
    return Value(kind, sql, (given,), value.at, given)


def _number_in(text: str) -> tuple[str, Any]:
    if len(text) > LONGEST_NUMBER or not Decimal(text).is_finite():
        raise ValueError(text)
    value = Decimal(text.strip())
    if abs(value.adjusted()) > LONGEST_NUMBER:
        raise ValueError(text)
    return "%s", value


def _boolean_in(text: str) -> tuple[str, Any]:
    word = text.strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return "%s::boolean", word in _TRUE


def _date_in(text: str) -> tuple[str, Any]:
    return "%s::text", date.fromisoformat(text.strip()).isoformat()


def _instant_in(text: str) -> tuple[str, Any]:
    """Without an offset it is UTC."""
    instant = datetime.fromisoformat(text.strip())
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    return "%s::timestamptz", aware


def _uuid_in(text: str) -> tuple[str, Any]:
    return "%s::uuid", str(UUID(text.strip()))


_READERS: dict[str, Callable[[str], tuple[str, Any]]] = {
    "text": lambda text: ("%s::text", text),
    "number": _number_in,
    "boolean": _boolean_in,
    "date": _date_in,
    "instant": _instant_in,
    "uuid": _uuid_in,
}
