"""People as CSV, page by page, so that a list of any length leaves as it is read.

What a spreadsheet would take for a formula has an apostrophe before it. An import reads what was exported
here: it takes the apostrophes away, and columns that mean nothing to it are ignored.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC
from io import StringIO
from typing import Any

from storage.people.recipients_csv import guarded
from storage.postgres.pool import Pool

COLUMNS = ("email", "name", "attributes", "status", "subscription", "since")
AT_ONCE = 2000

OF_LIST = """
    SELECT r.number, r.email, r.name, r.attributes::text, r.status, s.status, s.created_at
    FROM subscriptions s JOIN recipients r ON r.number = s.recipient
    WHERE s.list = %(list)s AND s.recipient > %(after)s ORDER BY s.recipient LIMIT %(limit)s
"""

OF_ALL = """
    SELECT r.number, r.email, r.name, r.attributes::text, r.status, '', r.created_at
    FROM recipients r WHERE r.status <> 'erased' AND r.number > %(after)s
    ORDER BY r.number LIMIT %(limit)s
"""


def exported(pool: Pool, list_number: int | None) -> Iterator[str]:
    """Pieces of the file; everybody when `list_number` is None."""
    yield lines([COLUMNS])
    after, statement = 0, OF_ALL if list_number is None else OF_LIST
    while True:
        with pool.transaction() as cursor:
            cursor.execute(statement, {"list": list_number, "after": after, "limit": AT_ONCE})
            rows = cursor.fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield lines([cells(row) for row in rows])


def cells(row: tuple[Any, ...]) -> list[str]:
    _, *texts, since = row
    return [guarded(text) for text in texts] + [since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")]


def lines(rows: Any) -> str:
    written = StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
