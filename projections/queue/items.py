"""Single deliveries, listed with filters: as fast for the last page of millions as for the first.

Within a campaign, deliveries are listed by status, then by server, those that wait by when they are
due. How many there are of each is counted already, so a page is found without walking to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.delivery.delivery import Status
from projections.following.batch import NUMBERS
from projections.queue.fold import CANCELS_QUEUED, SHOWN
from storage.postgres.like import beginning_with, containing

QUEUED, CANCELLED = Status.QUEUED.number, Status.CANCELLED.number
FIRST = [status.number for status in (Status.SENDING, Status.QUEUED, Status.UNKNOWN, Status.FAILED)]
ORDER = [*FIRST, *sorted({status.number for status in Status} - {*FIRST, CANCELLED}), CANCELLED]
"""Statuses in the order in which they are listed: what is under way or needs a look comes first."""

MOST_PEOPLE = 100

COLUMNS = f"""
    SELECT q.campaign, q.recipient, q.due, q.queued_at, q.changed_at, q.version, q.server, {SHOWN} AS status,
           q.attempts, q.interruptions, q.error, r.uuid::text, coalesce(m.email, r.email),
           CASE WHEN c.transactional THEN m.recipient ELSE q.recipient END
    FROM queue q JOIN queue_campaigns c ON c.campaign = q.campaign
    LEFT JOIN transactional_messages m
           ON c.transactional AND m.campaign = q.campaign AND m.number = q.recipient
    LEFT JOIN recipients r ON r.number = CASE WHEN c.transactional THEN m.recipient ELSE q.recipient END
"""  # noqa: S608 - of a constant

ONE = COLUMNS + "WHERE q.campaign = %(campaign)s AND q.recipient = %(recipient)s"

CELLS = f"""
    SELECT q.campaign, q.status, q.server, q.n
    FROM queue_counts q JOIN queue_campaigns c ON c.campaign = q.campaign
    WHERE q.n > 0 AND (%(campaign)s::integer IS NULL OR q.campaign = %(campaign)s)
      AND (%(server)s::integer IS NULL OR q.server = %(server)s)
      AND (%(in_cancelled)s OR NOT {CANCELS_QUEUED})
      AND (%(statuses)s::smallint[] IS NULL OR {SHOWN} = ANY (%(statuses)s))
"""  # noqa: S608 - of a constant

# Rows are picked before anything is joined to them: only those of the page are looked up.
WAITING = """
    WHERE (q.campaign, q.recipient) IN (
        SELECT campaign, recipient FROM queue WHERE status = %(queued)s AND campaign = %(campaign)s
          AND (%(server)s::integer IS NULL OR server = %(server)s)
        ORDER BY due, recipient OFFSET %(offset)s LIMIT %(limit)s)
    ORDER BY q.due, q.recipient
"""
BEGUN = """
    WHERE (q.campaign, q.recipient) IN (
        SELECT campaign, recipient FROM queue
        WHERE campaign = %(campaign)s AND status = %(status)s AND status <> %(queued)s AND server = %(server)s
        ORDER BY recipient OFFSET %(offset)s LIMIT %(limit)s)
    ORDER BY q.recipient
"""

RETRIES = f"""
    FROM queue q JOIN queue_campaigns c USING (campaign)
    WHERE q.status = %(queued)s AND due > %(due_after)s AND NOT {CANCELS_QUEUED}
      AND (%(campaign)s::integer IS NULL OR campaign = %(campaign)s)
      AND (%(server)s::integer IS NULL OR server = %(server)s)
"""
HOW_MANY_RETRIES = "SELECT count(*)" + RETRIES
OF_RETRIES = (
    "WHERE (q.campaign, q.recipient) IN (SELECT campaign, recipient"
    + RETRIES
    + "ORDER BY due, campaign, recipient OFFSET %(offset)s LIMIT %(limit)s)"
    + " ORDER BY q.due, q.campaign, q.recipient"
)

MATCHING_OF_PEOPLE = f"""
    FROM queue q JOIN queue_campaigns c USING (campaign)
    WHERE (campaign, recipient) IN (
            SELECT campaign, person FROM queue_campaigns, unnest(%(recipients)s::integer[]) AS person
            WHERE NOT transactional
            UNION ALL
            SELECT campaign, number FROM transactional_messages WHERE recipient = ANY (%(recipients)s)
            UNION ALL
            SELECT campaign, number FROM transactional_messages
            WHERE recipient IS NULL AND lower(email) = lower(%(address)s))
      AND (%(campaign)s::integer IS NULL OR campaign = %(campaign)s)
      AND (%(in_cancelled)s OR NOT {CANCELS_QUEUED})
      AND (%(server)s::integer IS NULL OR server = %(server)s)
      AND (%(statuses)s::smallint[] IS NULL OR {SHOWN} = ANY (%(statuses)s))
      AND (%(due_after)s::timestamptz IS NULL OR ({SHOWN} = %(queued)s AND due > %(due_after)s))
"""  # noqa: S608 - of a constant
HOW_MANY_OF_PEOPLE = "SELECT count(*)" + MATCHING_OF_PEOPLE
OF_PEOPLE = (
    "WHERE (q.campaign, q.recipient) IN (SELECT campaign, recipient"
    + MATCHING_OF_PEOPLE
    + "ORDER BY campaign DESC, recipient OFFSET %(offset)s LIMIT %(limit)s)"
    + " ORDER BY q.campaign DESC, q.recipient"
)

PEOPLE = "SELECT number FROM recipients WHERE email ILIKE %s ORDER BY number LIMIT %s"

# So short a part is in so many addresses that no index finds them; their beginnings lie side by side.
SHORT = 2
PEOPLE_FROM = "SELECT number FROM recipients WHERE lower(email) LIKE lower(%s) ORDER BY number LIMIT %s"


class Item(NamedTuple):
    """`status` as it is shown: what waits in a cancelled campaign is cancelled. `server` is the last
    one tried, 0 for none; `email` None when the person was erased. `recipient` is the number of the message
    in a transactional campaign, whose `person` is None when nobody in the directory had the address."""

    campaign: int
    recipient: int
    due: datetime
    queued_at: datetime
    changed_at: datetime
    version: int
    server: int
    status: int
    attempts: int
    interruptions: int
    error: str | None
    uuid: str | None
    email: str | None
    person: int | None = None


class WantedItems(NamedTuple):
    """Filters; None and an empty `statuses` filter nothing. `in_cancelled` False leaves out cancelled
    campaigns; `due_after` is for what waits and is due only later; `address` adds, to those of `recipients`,
    messages to that address which nobody in the directory has."""

    campaign: int | None = None
    statuses: Sequence[int] = ()
    server: int | None = None
    recipients: Sequence[int] | None = None
    in_cancelled: bool = True
    due_after: datetime | None = None
    address: str | None = None

    def parameters(self) -> dict[str, Any]:
        recipients = None if self.recipients is None else list(self.recipients)
        about = {"statuses": list(self.statuses) or None, "recipients": recipients}
        return {**NUMBERS, **self._asdict(), **about}


class _Cell(NamedTuple):
    """Deliveries that lie side by side in an index. `server` is None where all are meant."""

    campaign: int
    status: int
    server: int | None
    n: int


def items(cursor: Any, wanted: WantedItems, offset: int, limit: int) -> tuple[list[Item], int]:
    """The page, and how many there are in all."""
    if wanted.recipients is not None:
        return _of_people(cursor, wanted, offset, limit)
    if wanted.due_after is not None:
        return _of_retries(cursor, wanted, offset, limit)
    cells = _cells(cursor, wanted)
    found: list[Item] = []
    for cell, skipped in _from(cells, offset):
        found += _of_cell(cursor, cell, skipped, limit - len(found))
        if len(found) >= limit:
            break
    return found, sum(cell.n for cell in cells)


def item(cursor: Any, campaign: int, recipient: int) -> Item | None:
    cursor.execute(ONE, {**NUMBERS, "campaign": campaign, "recipient": recipient})
    row = cursor.fetchone()
    return None if row is None else Item(*row)


def people_like(cursor: Any, part: str) -> list[int]:
    """The first hundred recipients with `part` in their address; one or two characters are where it
    begins."""
    if len(part) <= SHORT:
        cursor.execute(PEOPLE_FROM, (beginning_with(part), MOST_PEOPLE))
    else:
        cursor.execute(PEOPLE, (containing(part), MOST_PEOPLE))
    return [number for (number,) in cursor.fetchall()]


def _cells(cursor: Any, wanted: WantedItems) -> list[_Cell]:
    """In the order of the list. What waits is one cell per campaign, since its index has no server."""
    cursor.execute(CELLS, wanted.parameters())
    cells: list[_Cell] = []
    waiting: dict[int, int] = {}
    for campaign, status, server, n in cursor.fetchall():
        if status == QUEUED:
            waiting[campaign] = waiting.get(campaign, 0) + n
        else:
            cells.append(_Cell(campaign, status, server, n))
    cells += [_Cell(campaign, QUEUED, wanted.server, n) for campaign, n in waiting.items()]
    return sorted(cells, key=lambda cell: (-cell.campaign, ORDER.index(cell.status), cell.server or 0))


def _from(cells: list[_Cell], offset: int) -> Iterator[tuple[_Cell, int]]:
    """The cells from that of the row number `offset` on, with how many rows of each to skip."""
    for cell in cells:
        if offset < cell.n:
            yield cell, offset
        offset = max(0, offset - cell.n)


def _of_cell(cursor: Any, cell: _Cell, offset: int, limit: int) -> list[Item]:
    condition = WAITING if cell.status == QUEUED else BEGUN
    cursor.execute(COLUMNS + condition, {**NUMBERS, **cell._asdict(), "offset": offset, "limit": limit})
    return [Item(*row) for row in cursor.fetchall()]


def _of_retries(cursor: Any, wanted: WantedItems, offset: int, limit: int) -> tuple[list[Item], int]:
    about = {**wanted.parameters(), "offset": offset, "limit": limit}
    cursor.execute(HOW_MANY_RETRIES, about)
    total = int(cursor.fetchone()[0])
    cursor.execute(COLUMNS + OF_RETRIES, about)
    return [Item(*row) for row in cursor.fetchall()], total


def _of_people(cursor: Any, wanted: WantedItems, offset: int, limit: int) -> tuple[list[Item], int]:
    about = {**wanted.parameters(), "offset": offset, "limit": limit}
    cursor.execute(HOW_MANY_OF_PEOPLE, about)
    total = int(cursor.fetchone()[0])
    cursor.execute(COLUMNS + OF_PEOPLE, about)
    return [Item(*row) for row in cursor.fetchall()], total
