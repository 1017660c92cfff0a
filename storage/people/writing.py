"""Writing about many people at once: each function says whom it changed, so that the facts can be told.

Whoever is to be changed is locked first, in the order of numbers, so that two commands neither block each
other for ever nor tell the same thing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg2.errors import UniqueViolation

from domain.people.statuses import PersonStatus, SubscriptionStatus
from storage import transactional
from storage.people import imports
from storage.people.directory import PEOPLE, Recipient
from storage.people.directory_news import announce
from storage.people.personal_data import (
    TakenError,
    checked_attributes,
    checked_email,
    checked_name,
    checked_status,
    checked_subscription,
)

Lists = dict[int, list[int]]
"""By the number of the person."""


def locked(cursor: Any, numbers: Sequence[int]) -> dict[int, Recipient]:
    """Those of the people who are there and not erased."""
    cursor.execute(
        PEOPLE + "WHERE number = ANY (%s) AND status <> 'erased' ORDER BY number FOR UPDATE",
        (list(numbers),),
    )
    return {row[0]: Recipient(*row) for row in cursor.fetchall()}


def write(cursor: Any, person: Recipient, values: Mapping[str, Any]) -> None:
    """`values` are email, name and attributes. Raises DirectoryError."""
    try:
        cursor.execute(
            "UPDATE recipients SET email = %s, name = %s, attributes = %s, updated_at = now()"
            " WHERE number = %s",
            (
                checked_email(values["email"]), checked_name(values["name"]),
                checked_attributes(values["attributes"]), person.number,
            ),
        )  # fmt: skip
    except UniqueViolation:
        raise TakenError("somebody has that e-mail address already") from None
    if values["email"] != person.email:
        announce(cursor, [person.number])


def set_status(cursor: Any, numbers: Sequence[int], status: str) -> list[int]:
    """Raises DirectoryError."""
    cursor.execute(
        "UPDATE recipients SET status = %s, updated_at = now()"
        " WHERE number = ANY (%s) AND status NOT IN (%s, 'erased') RETURNING number",
        (checked_status(status), list(numbers), status),
    )
    changed = sorted(number for (number,) in cursor.fetchall())
    if status != PersonStatus.ENABLED:
        announce(cursor, changed)
    return changed


def subscribe(
    cursor: Any, numbers: Sequence[int], lists: Sequence[int], status: str, *, again: bool = True
) -> Lists:
    """`again` sets the status of those too who are on a list already, else only unconfirmed ones are
    confirmed. With the status unsubscribed they are put on the list as having left it. Raises
    DirectoryError."""
    cursor.execute(
        """
        INSERT INTO subscriptions AS s (list, recipient, status)
        SELECT wanted.list, person.number, %(status)s
        FROM unnest(%(numbers)s::integer[]) AS person (number), unnest(%(lists)s::integer[]) AS wanted (list)
        ON CONFLICT (list, recipient) DO UPDATE SET status = excluded.status, updated_at = now()
        WHERE s.status <> excluded.status AND (%(again)s OR s.status = 'unconfirmed')
        RETURNING recipient, list
        """,
        {
            "numbers": list(set(numbers)),
            "lists": list(set(lists)),
            "status": checked_subscription(status),
            "again": again,
        },
    )
    changed = _by_person(cursor)
    if status != SubscriptionStatus.CONFIRMED:
        announce(cursor, list(changed))
    return changed


def unsubscribe(cursor: Any, numbers: Sequence[int], lists: Sequence[int] | None) -> Lists:
    """From all lists when `lists` is None."""
    cursor.execute(
        """
        UPDATE subscriptions SET status = 'unsubscribed', updated_at = now()
        WHERE recipient = ANY (%(numbers)s) AND status <> 'unsubscribed'
          AND (%(lists)s::integer[] IS NULL OR list = ANY (%(lists)s::integer[]))
        RETURNING recipient, list
        """,
        {"numbers": list(numbers), "lists": None if lists is None else list(lists)},
    )
    changed = _by_person(cursor)
    announce(cursor, list(changed))
    return changed


def take_off(cursor: Any, numbers: Sequence[int], lists: Sequence[int], *, others: bool = False) -> Lists:
    """From the lists, or with `others` from all but these."""
    cursor.execute(
        "DELETE FROM subscriptions WHERE recipient = ANY (%s) AND (list = ANY (%s::integer[])) <> %s"
        " RETURNING recipient, list",
        (list(numbers), list(lists), others),
    )
    changed = _by_person(cursor)
    announce(cursor, list(changed))
    return changed


def erase(cursor: Any, numbers: Sequence[int]) -> list[int]:
    transactional.forget(cursor, numbers)
    imports.forget(cursor, numbers)
    cursor.execute(
        """
        UPDATE recipients
        SET email = NULL, name = '', attributes = '{}', status = 'erased', updated_at = now()
        WHERE number = ANY (%s) AND status <> 'erased' RETURNING number
        """,
        (list(numbers),),
    )
    changed = sorted(number for (number,) in cursor.fetchall())
    cursor.execute("DELETE FROM subscriptions WHERE recipient = ANY (%s)", (changed,))
    announce(cursor, changed)
    return changed


def _by_person(cursor: Any) -> Lists:
    changed: defaultdict[int, list[int]] = defaultdict(list)
    for number, list_number in cursor.fetchall():
        changed[number].append(list_number)
    return {number: sorted(changed[number]) for number in sorted(changed)}
