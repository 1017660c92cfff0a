"""The form about one person: what it shows, and what comes back from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import request

from domain.errors import Refused
from domain.people.statuses import SubscriptionStatus
from storage.people import directory
from storage.people.directory import Recipient
from storage.people.personal_data import DirectoryError, checked_attributes, checked_email, checked_name
from web.pages.forms import sentence

PREFIX = "list-"
NOT_ON_IT = ""
SUBSCRIPTIONS = (
    (NOT_ON_IT, "Not subscribed"),
    (SubscriptionStatus.UNCONFIRMED.value, "Unconfirmed"),
    (SubscriptionStatus.CONFIRMED.value, "Confirmed"),
    (SubscriptionStatus.UNSUBSCRIBED.value, "Unsubscribed"),
)


def empty(list_number: int | None) -> dict[str, Any]:
    lists = {} if list_number is None else {list_number: SubscriptionStatus.CONFIRMED}
    return {"email": "", "name": "", "attributes": "{}", "lists": lists}


def standing(cursor: Any, person: Recipient) -> dict[str, Any]:
    return {
        "email": person.email,
        "name": person.name,
        "attributes": json.dumps(person.attributes, indent=2, ensure_ascii=False),
        "lists": {one.list: one.status for one in directory.subscriptions_of(cursor, person.number)},
    }


def given() -> dict[str, Any]:
    """What was typed, to be shown again."""
    values: dict[str, Any] = {name: request.form.get(name, "") for name in ("email", "name", "attributes")}
    values["attributes"] = values["attributes"].replace("\r\n", "\n")
    known = {name for name, _ in SUBSCRIPTIONS if name}
    values["lists"] = {
        int(name.removeprefix(PREFIX)): status
        for name, status in request.form.items()
        if name.startswith(PREFIX) and name[len(PREFIX) :].isdecimal() and len(name) < 16 and status in known
    }
    return values


def fields_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """email, name and attributes as the commands take them. Raises Refused with a message for each field."""
    errors: dict[str, str] = {}

    def checked(field: str, check: Callable[[], Any]) -> Any:
        try:
            return check()
        except DirectoryError as error:
            errors[field] = sentence(str(error))

    fields = {
        "email": checked("email", lambda: checked_email(values["email"].strip())),
        "name": checked("name", lambda: checked_name(values["name"])),
        "attributes": checked("attributes", lambda: attributes_of(values["attributes"])),
    }
    if errors:
        raise Refused.for_fields(errors)
    return fields


def attributes_of(text: str) -> dict[str, Any]:
    """Raises DirectoryError, which names the place."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DirectoryError(
            f"this is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except (ValueError, RecursionError):
        raise DirectoryError("this is not JSON that can be read") from None
    if not isinstance(value, dict):
        raise DirectoryError('a JSON object is expected, such as {"city": "Bern"}')
    checked_attributes(value)
    return value
