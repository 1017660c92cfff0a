"""Who people are, on which lists, and whether they may be mailed. Personal data lives here alone.

Every function takes a cursor of an open transaction. Whatever makes somebody stop being mailable says so in
`storage.people.directory_news`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.people.statuses import PersonStatus
from domain.streams import LARGEST_NUMBER
from storage.people.directory_news import announce
from storage.people.personal_data import (
    TakenError,
    checked_attributes,
    checked_email,
    checked_name,
    checked_status,
)

PERSON = "r.number, r.uuid::text, r.email, r.name, r.attributes, r.status, r.created_at, r.updated_at"
"""The columns of a Recipient, of recipients AS r."""

PEOPLE = f"SELECT {PERSON} FROM recipients AS r "  # noqa: S608 - of columns

IS_MAILABLE = """
    (s.status = 'confirmed'
     OR (s.status = 'unconfirmed' AND s.list IN (SELECT number FROM lists WHERE optin = 'single')))
"""
"""Of subscriptions AS s: whether an enabled person may be mailed through it."""

_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Addressee(NamedTuple):
    """A recipient at the moment of sending. `reason` is None when mailable, else blocklisted, disabled,
    unsubscribed (from, or never confirmed on, all lists asked about) or erased."""

    number: int
    uuid: str | None
    email: str | None
    name: str
    attributes: dict[str, Any]
    reason: str | None


class Recipient(NamedTuple):
    number: int
    uuid: str
    email: str | None
    name: str
    attributes: dict[str, Any]
    status: str
    created_at: datetime
    updated_at: datetime


class List(NamedTuple):
    number: int
    uuid: str
    name: str
    optin: str
    created_at: datetime


class Subscription(NamedTuple):
    list: int
    name: str
    status: str
    updated_at: datetime


def mailable(cursor: Any, lists: Sequence[int], recipients: Sequence[int]) -> list[Addressee]:
    """One row for each number asked for, in that order; a number that nobody has counts as erased."""
    # The lateral join with its LIMIT keeps the planner from reading whole lists for a few people.
    cursor.execute(
        f"""
        SELECT asked.number, r.uuid::text, r.email, coalesce(r.name, ''), coalesce(r.attributes, '{{}}'),
               CASE WHEN r.number IS NULL THEN 'erased'
                    WHEN r.status <> 'enabled' THEN r.status
                    WHEN s.subscribed IS NULL THEN 'unsubscribed' END
        FROM unnest(%s::integer[]) WITH ORDINALITY AS asked (number, place)
        LEFT JOIN recipients r ON r.number = asked.number
        LEFT JOIN LATERAL (
            SELECT true AS subscribed FROM subscriptions s
            WHERE s.recipient = r.number AND s.list = ANY (%s) AND {IS_MAILABLE}
            LIMIT 1) s ON true
        ORDER BY asked.place
        """,  # noqa: S608 - of a constant
        (list(recipients), list(lists)),
    )
    return [Addressee(*row) for row in cursor.fetchall()]


def sample(cursor: Any, lists: Sequence[int], count: int) -> list[int]:
    """About `count` numbers from all over the lists, of people whether mailable or not."""
    cursor.execute(
        """
        WITH spread AS (SELECT max(number) AS most FROM recipients),
        starts AS (SELECT most::bigint * step / %(count)s AS start
                   FROM spread, generate_series(0, %(count)s - 1) AS step)
        SELECT DISTINCT found.recipient FROM starts
        CROSS JOIN LATERAL (SELECT s.recipient FROM unnest(%(lists)s::integer[]) AS wanted (list)
                            CROSS JOIN LATERAL (SELECT recipient FROM subscriptions s
                                                WHERE s.list = wanted.list AND s.recipient > starts.start
                                                ORDER BY s.recipient LIMIT 1) s
                            ORDER BY s.recipient LIMIT 1) AS found
        ORDER BY 1
        """,
        {"count": count, "lists": list(lists)},
    )
    return [number for (number,) in cursor.fetchall()]


def find_list(cursor: Any, name_or_number: str) -> List | None:
    """By name first; digits that are no list's name are taken as a number."""
    number = int(name_or_number) if re.fullmatch("[0-9]{1,9}", name_or_number) else None
    cursor.execute(
        "SELECT number, uuid::text, name, optin, created_at FROM lists"
        " WHERE (name = %s OR number = %s) AND deleted_at IS NULL ORDER BY name = %s DESC LIMIT 1",
        (name_or_number, number, name_or_number),
    )
    row = cursor.fetchone()
    return None if row is None else List(*row)


def lists(cursor: Any) -> list[tuple[List, int]]:
    """Every list with the number of its subscriptions that are not unsubscribed, by name."""
    cursor.execute(
        """
        SELECT l.number, l.uuid::text, l.name, l.optin, l.created_at,
               (SELECT coalesce(sum(people), 0)::bigint FROM list_sizes s
                WHERE s.list = l.number AND s.status <> 'unsubscribed')
        FROM lists l WHERE l.deleted_at IS NULL ORDER BY l.name
        """
    )
    return [(List(*row[:5]), row[5]) for row in cursor.fetchall()]


def list_names(cursor: Any) -> list[tuple[int, str]]:
    """(number, name) of every list, by name."""
    cursor.execute("SELECT number, name FROM lists WHERE deleted_at IS NULL ORDER BY name")
    return cursor.fetchall()  # type: ignore[no-any-return]


def add_recipient(
    cursor: Any,
    email: str,
    name: str = "",
    attributes: dict[str, Any] | None = None,
    status: str = PersonStatus.ENABLED,
) -> int:
    """`status` is a PersonStatus. The number of the new recipient. Raises DirectoryError when somebody has
    the address already."""
    cursor.execute(
        "INSERT INTO recipients (email, name, attributes, status) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (lower(email)) DO NOTHING RETURNING number",
        (
            checked_email(email),
            checked_name(name),
            checked_attributes(attributes or {}),
            checked_status(status),
        ),
    )
    row = cursor.fetchone()
    if row is None:
        raise TakenError("somebody has that e-mail address already")
    if status != PersonStatus.ENABLED:
        announce(cursor, [row[0]])
    return int(row[0])


def find_recipient(cursor: Any, who: str) -> Recipient | None:
    """By number, UUID or e-mail address (whatever its case)."""
    number = int(who) if re.fullmatch("[0-9]{1,10}", who) and int(who) <= LARGEST_NUMBER else None
    uuid = who if _UUID.fullmatch(who) else None
    email = who.replace("\x00", "") if number is None and uuid is None else None
    cursor.execute(
        PEOPLE + "WHERE number = %s OR uuid = %s::uuid OR lower(email) = lower(%s)",
        (number, uuid, email),
    )
    row = cursor.fetchone()
    return None if row is None else Recipient(*row)


def recipients(
    cursor: Any, list_number: int | None = None, status: str | None = None, after: int = 0, limit: int = 100
) -> list[Recipient]:
    """A page in the order of numbers, above `after`."""
    cursor.execute(
        PEOPLE
        + """
        WHERE r.number > %(after)s AND (%(status)s::text IS NULL OR r.status = %(status)s)
          AND (%(list)s::integer IS NULL
               OR EXISTS (SELECT FROM subscriptions s WHERE s.recipient = r.number AND s.list = %(list)s))
        ORDER BY r.number LIMIT %(limit)s
        """,
        {"after": after, "status": status, "list": list_number, "limit": limit},
    )
    return [Recipient(*row) for row in cursor.fetchall()]


def subscriptions_of(cursor: Any, recipient: int) -> list[Subscription]:
    cursor.execute(
        "SELECT s.list, l.name, s.status, s.updated_at FROM subscriptions s JOIN lists l ON l.number = s.list"
        " WHERE s.recipient = %s ORDER BY l.name",
        (recipient,),
    )
    return [Subscription(*row) for row in cursor.fetchall()]
