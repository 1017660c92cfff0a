"""Lists with all that is known of them: to look at, to make, to change and to delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg2.errors import UniqueViolation

from domain import fields
from domain.people.statuses import ListStatus, ListType, Optin
from storage.people.directory_news import announce_everybody
from storage.people.personal_data import LONGEST_LIST_NAME, TakenError
from storage.postgres.like import containing
from storage.postgres.pool import allow

ORDERS = ("name", "status", "created_at", "updated_at", "subscriber_count")
DELETING_SECONDS = 120.0
"""A list may have millions of subscriptions."""

LONGEST_DESCRIPTION = 2000

SELECT = """
    SELECT l.number, l.uuid::text, l.name, l.type, l.optin, l.status, l.tags, l.description, l.created_at,
           l.updated_at
    FROM lists l
"""

FILTER = """
    WHERE l.deleted_at IS NULL
      AND (%(like)s::text IS NULL OR l.name ILIKE %(like)s)
      AND (%(type)s::text IS NULL OR l.type = %(type)s)
      AND (%(optin)s::text IS NULL OR l.optin = %(optin)s)
      AND (%(status)s::text IS NULL OR l.status = %(status)s)
      AND (%(tags)s::text[] IS NULL OR l.tags @> %(tags)s::text[])
"""

COUNT = "SELECT count(*) FROM lists l" + FILTER  # noqa: S608 - of constants

SIZE = "(SELECT coalesce(sum(people), 0) FROM list_sizes s WHERE s.list = l.number)"

DEFAULTS: dict[str, Any] = {
    "name": "", "type": ListType.PRIVATE, "optin": Optin.SINGLE, "status": ListStatus.ACTIVE, "tags": (),
    "description": "",
}  # fmt: skip


class ListRow(NamedTuple):
    number: int
    uuid: str
    name: str
    type: str
    optin: str
    status: str
    tags: list[str]
    description: str
    created_at: datetime
    updated_at: datetime


class WantedLists(NamedTuple):
    """None and empty: any."""

    search: str | None = None
    type: str | None = None
    optin: str | None = None
    status: str | None = None
    tags: Sequence[str] = ()

    def parameters(self) -> dict[str, Any]:
        like = None if self.search is None else containing(self.search)
        return {**self._asdict(), "like": like, "tags": list(self.tags) or None}


def found(
    cursor: Any,
    wanted: WantedLists,
    *,
    order_by: str = "created_at",
    ascending: bool = True,
    limit: int | None = None,
    offset: int = 0,
) -> list[ListRow]:
    order, direction = (
        SIZE if order_by == "subscriber_count" else f"l.{order_by}",
        "ASC" if ascending else "DESC",
    )
    cursor.execute(
        SELECT
        + FILTER
        + f" ORDER BY {order} {direction}, l.number {direction} LIMIT %(limit)s OFFSET %(offset)s",
        {**wanted.parameters(), "limit": limit, "offset": offset},
    )
    return [ListRow(*row) for row in cursor.fetchall()]


def count(cursor: Any, wanted: WantedLists) -> int:
    cursor.execute(COUNT, wanted.parameters())
    return int(cursor.fetchone()[0])


def one(cursor: Any, number: int) -> ListRow | None:
    cursor.execute(SELECT + "WHERE l.number = %s AND l.deleted_at IS NULL", (number,))
    row = cursor.fetchone()
    return None if row is None else ListRow(*row)


def lock(cursor: Any, numbers: Sequence[int]) -> None:
    """Until the transaction ends nobody else changes these lists, or the subscriptions to them."""
    cursor.execute("SELECT FROM lists WHERE number = ANY (%s) ORDER BY number FOR UPDATE", (list(numbers),))


def sizes(cursor: Any, numbers: Sequence[int]) -> dict[int, dict[str, int]]:
    """Of each list, how many subscriptions of each status; statuses that nobody has are left out."""
    cursor.execute(
        "SELECT list, status, sum(people)::bigint FROM list_sizes WHERE list = ANY (%s)"
        " GROUP BY list, status HAVING sum(people) > 0",
        (list(numbers),),
    )
    counts: dict[int, dict[str, int]] = {number: {} for number in numbers}
    for number, status, people in cursor.fetchall():
        counts[number][status] = people
    return counts


def names(cursor: Any, numbers: Sequence[int]) -> dict[int, str]:
    """Of deleted ones too."""
    cursor.execute("SELECT number, name FROM lists WHERE number = ANY (%s)", (list(numbers),))
    return dict(cursor.fetchall())


def missing(cursor: Any, numbers: Sequence[int]) -> list[int]:
    """Those that no list has, or no longer."""
    cursor.execute(
        "SELECT number FROM lists WHERE number = ANY (%s) AND deleted_at IS NULL", (list(numbers),)
    )
    there = {number for (number,) in cursor.fetchall()}
    return sorted(set(numbers) - there)


def create(cursor: Any, values: Mapping[str, Any]) -> int:
    """`values` are any of name, type, optin, status, tags and description. Raises DirectoryError, Refused."""
    checked = _checked({**DEFAULTS, **values})
    try:
        cursor.execute(
            "INSERT INTO lists (name, type, optin, status, tags, description) VALUES (%(name)s, %(type)s,"
            " %(optin)s, %(status)s, %(tags)s, %(description)s) RETURNING number",
            checked,
        )
    except UniqueViolation:
        raise _taken() from None
    return int(cursor.fetchone()[0])


def change(cursor: Any, number: int, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """What differs from before, written; None when there is no such list. Who becomes unmailable by it is
    made known. Raises DirectoryError, Refused."""
    cursor.execute(SELECT + "WHERE l.number = %s AND l.deleted_at IS NULL FOR UPDATE", (number,))
    row = cursor.fetchone()
    if row is None:
        return None
    before = {name: value for name, value in ListRow(*row)._asdict().items() if name in DEFAULTS}
    after = _checked({**before, **values})
    changes = {name: value for name, value in after.items() if value != before[name]}
    if changes:
        try:
            cursor.execute(
                "UPDATE lists SET name = %(name)s, type = %(type)s, optin = %(optin)s, status = %(status)s,"
                " tags = %(tags)s, description = %(description)s, updated_at = now()"
                " WHERE number = %(number)s",
                {**after, "number": number},
            )
        except UniqueViolation:
            raise _taken() from None
        if changes.get("optin") == Optin.DOUBLE:
            announce_everybody(cursor)
    return changes


def delete(cursor: Any, number: int) -> int | None:
    """With its subscriptions; how many these were, None when there is no such list. The row stays for the
    campaigns that name it."""
    allow(cursor, DELETING_SECONDS)
    cursor.execute("UPDATE lists SET deleted_at = now() WHERE number = %s AND deleted_at IS NULL", (number,))
    if cursor.rowcount != 1:
        return None
    cursor.execute("DELETE FROM subscriptions WHERE list = %s", (number,))
    subscribers = int(cursor.rowcount)
    if subscribers:
        announce_everybody(cursor)
    return subscribers


def _taken() -> TakenError:
    return TakenError("a list of that name exists already")


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    fields.known(values, DEFAULTS)
    checks = fields.Checks()
    checked = {
        "name": checks.run(fields.text, values["name"], "name", LONGEST_LIST_NAME, 1),
        "type": checks.run(fields.choice, values["type"], "type", ListType),
        "optin": checks.run(fields.choice, values["optin"], "optin", Optin),
        "status": checks.run(fields.choice, values["status"], "status", ListStatus),
        "tags": checks.run(fields.tags, values["tags"], "tags"),
        "description": checks.run(_description, values["description"]),
    }
    checks.done()
    return checked


def _description(value: object) -> str:
    """May have several lines."""
    if not isinstance(value, str) or len(value) > LONGEST_DESCRIPTION:
        fields.refuse("description", f"is not a text of at most {LONGEST_DESCRIPTION:,} characters")
    for line in value.splitlines():
        fields.text(line, "description", LONGEST_DESCRIPTION)
    return value.strip()
