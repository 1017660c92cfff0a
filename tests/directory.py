"""People and lists, entered as an operator enters them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import BytesIO, StringIO

from application.installation import Installation
from application.people.imports import Imports
from application.people.lists import Lists
from application.people.people import People
from storage.people import directory
from storage.people.recipients_import import Options

NUMBERS = """
    SELECT r.number FROM unnest(%s::text[]) WITH ORDINALITY AS asked (email, place)
    JOIN recipients r ON lower(r.email) = lower(asked.email) ORDER BY asked.place
"""


class Directory:
    """`people` are the commands."""

    def __init__(self, installation: Installation) -> None:
        self._pool = installation.pool
        self._lists = Lists(installation)
        self._imports = Imports(installation)
        self.people = People(installation)

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
        self._imports.at_once(BytesIO(file.getvalue().encode()), options, strict=True, by="test")
        with self._pool.transaction() as cursor:
            cursor.execute(NUMBERS, ([email for email, _ in rows[1:]],))
            return [number for (number,) in cursor.fetchall()]
