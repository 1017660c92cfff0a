"""What may be written about a person or a list: the bounds of every field of the directory."""

from __future__ import annotations

import json
import re

from domain import fields
from domain.addresses import email_address
from domain.errors import Refused
from domain.people.statuses import PersonStatus, SubscriptionStatus

LONGEST_NAME = 500
LONGEST_LIST_NAME = 200
LARGEST_ATTRIBUTES = 64 * 1024  # bytes of JSON

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class DirectoryError(Refused):
    """A person, a list or a value that is not acceptable. The message never quotes personal data."""


class TakenError(DirectoryError):
    """Somebody else, or another list, has it already."""


def checked_email(email: str) -> str:
    wrong = email_address.wrong_with(email)
    if wrong:
        raise DirectoryError(wrong)
    return email


def checked_status(status: str) -> PersonStatus:
    try:
        return PersonStatus(status)
    except ValueError:
        raise DirectoryError(f"the status is one of {', '.join(PersonStatus)}") from None


def checked_subscription(status: str) -> SubscriptionStatus:
    try:
        return SubscriptionStatus(status)
    except ValueError:
        raise DirectoryError(
            f"the status of a subscription is one of {', '.join(SubscriptionStatus)}"
        ) from None


def checked_name(name: str) -> str:
    """Without blanks around it, which nobody sees and no file keeps."""
    name = name.strip()
    if len(name) > LONGEST_NAME:
        raise DirectoryError(f"the name is longer than {LONGEST_NAME} characters")
    if _UNPRINTABLE.search(name):
        raise DirectoryError("the name holds a line break, a control character or bytes that are not UTF-8")
    return name


def checked_attributes(attributes: object, them: str = "the attributes") -> str:
    """As compact JSON. Raises DirectoryError unless it is an object that PostgreSQL can hold."""
    if not isinstance(attributes, dict):
        raise DirectoryError(f"{them} are not a JSON object")
    if fields.is_nested_deeper(attributes, fields.DEEPEST):
        raise DirectoryError(f"{them} are nested more than {fields.DEEPEST} levels deep")
    try:
        text = json.dumps(attributes, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError):
        raise DirectoryError(f"{them} hold something that JSON cannot") from None
    if size > LARGEST_ATTRIBUTES:
        raise DirectoryError(f"{them} are larger than {LARGEST_ATTRIBUTES // 1024} KB")
    if _ESCAPED_NUL.search(text):
        raise DirectoryError(f"{them} hold a NUL character")
    return text
