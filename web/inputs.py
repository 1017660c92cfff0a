"""What comes in from outside: every field has limits, and every refusal names its field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import request

from web.errors import Refusal

LARGEST_NUMBER = 0xFFFFFFFF
LARGEST_PAGE = 1_000_000
LARGEST_PER_PAGE = 50
ALL = 10_000


def number_argument(field: str, largest: int = LARGEST_NUMBER) -> int | None:
    """A whole number from 1 to `largest` in the query, None where it is left out."""
    text = text_argument(field, largest=20)
    return None if text is None else whole_number(field, text, largest)


def text_argument(field: str, largest: int) -> str | None:
    """Surrounding blanks removed; None where it is left out or blank."""
    text = request.args.get(field, "").strip()
    return limited_text(field, text, largest) if text else None


def uuid_argument(field: str) -> UUID | None:
    text = text_argument(field, largest=64)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Refusal(400, f"{field}: {text!r} is not a UUID.") from None


def choice_arguments(field: str, choices: list[str]) -> list[str]:
    """Each of a repeated argument; also several with commas between."""
    given = [word.strip() for value in request.args.getlist(field) for word in value.split(",")]
    chosen = sorted({word for word in given if word})
    for word in chosen:
        if word not in choices:
            raise Refusal(400, f"{field}: {word[:40]!r} is none of {', '.join(choices)}.")
    return chosen


def page_arguments() -> tuple[int, int]:
    """(page, per_page); `per_page=all` asks for the first 10,000 at once."""
    page = number_argument("page", LARGEST_PAGE) or 1
    text = text_argument("per_page", largest=20) or "20"
    if text == "all":
        return 1, ALL
    return page, whole_number("per_page", text, LARGEST_PER_PAGE, also=" or all")


def whole_number(field: str, text: str, largest: int, also: str = "") -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
        raise Refusal(400, f"{field}: a whole number from 1 to {largest}{also}, not {text!r}.")
    return int(text)


def json_object() -> dict[str, Any]:
    """The body as a JSON object. 415 for another content type, 400 for what is no JSON object."""
    if request.mimetype != "application/json":
        raise Refusal(415, "The body must be JSON, with Content-Type: application/json.")
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body is not JSON: {str(error)[:200]}.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The body must be a JSON object.")
    return body


def text_field(body: dict[str, Any], field: str, largest: int) -> str | None:
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refusal(400, f"{field}: a string is expected.")
    return limited_text(field, value.strip(), largest) or None


def instant_field(body: dict[str, Any], field: str) -> datetime | None:
    """An instant in RFC 3339 with its offset, as an aware datetime in UTC."""
    text = text_field(body, field, largest=40)
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise Refusal(400, f"{field}: {text!r} lacks the offset from UTC, as in 2026-03-06T08:00:00Z.")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refusal(400, f"{field}: {text!r} is no instant such as 2026-03-06T08:00:00Z.") from None


def limited_text(field: str, text: str, largest: int) -> str:
    if len(text) > largest:
        raise Refusal(400, f"{field}: at most {largest} characters.")
    if not text.isprintable():
        raise Refusal(400, f"{field}: control characters are not taken.")
    return text
