"""Finding people: by words, by a query expression, by their lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from storage.people.directory import PEOPLE, Recipient
from storage.postgres.like import containing
from storage.subscriber_query.condition import Condition

ORDERS = {
    "id": "r.number", "email": "r.email", "name": "r.name", "status": "r.status",
    "created_at": "r.created_at", "updated_at": "r.updated_at",
}  # fmt: skip

COUNT = "SELECT count(*) FROM recipients AS r "

NUMBERS = "SELECT r.number FROM recipients AS r "

OF_ONE_LIST = """
    SELECT coalesce(sum(people), 0) FROM list_sizes
    WHERE list = %s AND (%s::text IS NULL OR status = %s)
"""


# The page is found in the index of subscriptions, before anything of the people is read.
PAGE_OF_ONE_LIST = """
    WHERE r.number IN (
        SELECT s.recipient FROM subscriptions s
        WHERE s.list = %s AND (%s::text IS NULL OR s.status = %s)
        ORDER BY s.recipient {direction} LIMIT %s OFFSET %s)
    ORDER BY r.number {direction}
"""

# Each count is answered by an index alone, or by what is kept of the sizes. Who was erased is on no list.
TOTALS = """
    SELECT (SELECT count(*) FROM recipients) - (SELECT count(*) FROM recipients WHERE status = 'erased'),
           (SELECT count(*) FROM recipients WHERE status = 'blocklisted'),
           CASE WHEN (SELECT count(DISTINCT list) FROM list_sizes) <= 1
                THEN (SELECT coalesce(sum(people), 0)::bigint FROM list_sizes)
                ELSE (SELECT count(*) FROM (SELECT DISTINCT recipient FROM subscriptions) AS subscribed)
           END
"""


class WantedPeople(NamedTuple):
    """None and empty: anybody. `subscription` is the status on one of `lists`, without which it means
    nothing; `numbers` are those of people, of whom the rest has to be true as well; `status` is their own."""

    search: str | None = None
    query: Condition | None = None
    lists: Sequence[int] = ()
    subscription: str | None = None
    numbers: Sequence[int] | None = None
    status: str | None = None


class SubscriptionRow(NamedTuple):
    """One list of one person."""

    recipient: int
    status: str
    since: datetime
    updated_at: datetime
    list: int
    uuid: str
    name: str
    type: str
    optin: str
    list_status: str
    tags: Sequence[str]
    description: str
    created_at: datetime
    changed_at: datetime


def found(
    cursor: Any,
    wanted: WantedPeople,
    *,
    order_by: str = "id",
    ascending: bool = False,
    limit: int,
    offset: int = 0,
) -> list[Recipient]:
    """`order_by` is one of ORDERS."""
    direction = "ASC" if ascending else "DESC"
    if order_by == "id" and is_of_one_list(wanted):
        about = (wanted.lists[0], wanted.subscription, wanted.subscription, limit, offset)
        cursor.execute(PEOPLE + PAGE_OF_ONE_LIST.format(direction=direction), about)
        return [Recipient(*row) for row in cursor.fetchall()]
    where, parameters = _where(wanted)
    order = f"{ORDERS[order_by]} {direction}" + (f", r.number {direction}" if order_by != "id" else "")
    cursor.execute(PEOPLE + where + f" ORDER BY {order} LIMIT %s OFFSET %s", (*parameters, limit, offset))
    return [Recipient(*row) for row in cursor.fetchall()]


def before(cursor: Any, wanted: WantedPeople, before: int, least: int, limit: int) -> list[Recipient]:
    """Newest first, with numbers below `before` and not below `least`."""
    where, parameters = _where(wanted)
    cursor.execute(
        PEOPLE + where + " AND r.number < %s AND r.number >= %s ORDER BY r.number DESC LIMIT %s",
        (*parameters, before, least, limit),
    )
    return [Recipient(*row) for row in cursor.fetchall()]


def count(cursor: Any, wanted: WantedPeople) -> int:
    if is_of_one_list(wanted):
        cursor.execute(OF_ONE_LIST, (wanted.lists[0], wanted.subscription, wanted.subscription))
    else:
        where, parameters = _where(wanted)
        cursor.execute(COUNT + where, parameters)
    return int(cursor.fetchone()[0])


def is_of_one_list(wanted: WantedPeople) -> bool:
    """Whether nothing but being on one list is wanted. Who was erased is on none."""
    return len(wanted.lists) == 1 and not any(wanted._replace(lists=(), subscription=None))


def totals(cursor: Any) -> dict[str, int]:
    """How many people there are, how many of them blocklisted, and how many on no list."""
    cursor.execute(TOTALS)
    total, blocklisted, subscribed = cursor.fetchone()
    return {"total": total, "blocklisted": blocklisted, "orphans": total - subscribed}


def numbers(cursor: Any, wanted: WantedPeople, *, after: int = 0, limit: int) -> list[int]:
    """In ascending order, above `after`."""
    where, parameters = _where(wanted)
    cursor.execute(
        NUMBERS + where + " AND r.number > %s ORDER BY r.number LIMIT %s",
        (*parameters, after, limit),
    )
    return [number for (number,) in cursor.fetchall()]


def subscriptions(cursor: Any, recipients: Sequence[int]) -> dict[int, list[SubscriptionRow]]:
    """Of each of the people, by the numbers of the lists."""
    cursor.execute(
        """
        SELECT s.recipient, s.status, s.created_at, s.updated_at, l.number, l.uuid::text, l.name, l.type,
               l.optin, l.status, l.tags, l.description, l.created_at, l.updated_at
        FROM subscriptions s JOIN lists l ON l.number = s.list
        WHERE s.recipient = ANY (%s) ORDER BY s.recipient, l.number
        """,
        (list(recipients),),
    )
    rows: dict[int, list[SubscriptionRow]] = {number: [] for number in recipients}
    for row in cursor.fetchall():
        rows[row[0]].append(SubscriptionRow(*row))
    return rows


def _where(wanted: WantedPeople) -> tuple[str, tuple[Any, ...]]:
    conditions = ["r.status <> 'erased'"]
    parameters: tuple[Any, ...] = ()
    if wanted.search is not None:
        like = containing(wanted.search)
        conditions.append("(r.email ILIKE %s OR r.name ILIKE %s)")
        parameters += (like, like)
    if wanted.query is not None:
        conditions.append(wanted.query.sql)
        parameters += wanted.query.parameters
    if wanted.lists:
        conditions.append(
            "EXISTS (SELECT FROM subscriptions s WHERE s.recipient = r.number AND s.list = ANY (%s)"
            " AND (%s::text IS NULL OR s.status = %s))"
        )
        parameters += (list(wanted.lists), wanted.subscription, wanted.subscription)
    if wanted.status is not None:
        conditions.append("r.status = %s")
        parameters += (wanted.status,)
    if wanted.numbers is not None:
        conditions.append("r.number = ANY (%s)")
        parameters += (list(wanted.numbers),)
    return "WHERE " + " AND ".join(conditions), parameters
