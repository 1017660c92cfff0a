"""People and lists, entered as an operator enters them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import BytesIO, StringIO

from application.lists import Lists
from application.people import People
from storage.log.append import Log
from storage.people import directory
from storage.people.recipients_import import Options
from storage.postgres.pool import Pool

NUMBERS = """
    SELECT r.number FROM unnest(%s::text[]) WITH ORDINALITY AS asked (email, place)
    JOIN recipients r ON lower(r.email) = lower(asked.email) ORDER BY asked.place
"""


class Directory:
    """`people` are the commands."""

    def __init__(self, pool: Pool, log: Log) -> None:
        self._pool = pool
        self._lists = Lists(pool, log)
        self.people = People(pool, log)

    def list(self, name: str) -> int:
        """Its number; a list of its own where there is none of that name."""
        with self._pool.transaction() as cursor:
            found = directory.find_list(cursor, name)
        return found.number if found else self._lists.create({"name": name}, by="test")

    def bring(self, people: Iterable[tuple[str, str]], onto: str, subscription: str) -> list[int]:
        """(address, name) of each, from a file; their numbers in the same order."""
        file = StringIO()
        rows = [("email", "name"), *people]
        csv.writer(file).writerows(rows)
        options = Options(lists=[self.list(onto)], subscription=subscription)
        self.people.import_csv(BytesIO(file.getvalue().encode()), options, strict=True, by="test")
        with self._pool.transaction() as cursor:
            cursor.execute(NUMBERS, ([email for email, _ in rows[1:]],))
            return [number for (number,) in cursor.fetchall()]
