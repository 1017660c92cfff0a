"""What can be done with lists, for pages, API and command line alike. Every command names who gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from application.event_recording import Told, tell
from domain.errors import Missing, Outrun
from domain.people.people import ListChanged, ListCreated, ListDeleted
from domain.streams import list_stream
from storage.log.append import Conflict, Log
from storage.people import lists
from storage.postgres.pool import Pool

_TRIES = 3

Result = TypeVar("Result")


class Lists:
    def __init__(self, pool: Pool, log: Log) -> None:
        self._pool = pool
        self._log = log

    def create(self, values: Mapping[str, Any], *, by: str) -> int:
        """`values` are name and any of type, optin, status, tags, description. Returns the number. Raises
        Refused with a message for each field that is wrong, DirectoryError when the name is taken."""

        def change(cursor: Any) -> tuple[int, list[Told]]:
            number = lists.create(cursor, values)
            return number, [created(cursor, number)]

        return self._commit(change, by)

    def change(self, number: int, values: Mapping[str, Any], *, by: str) -> None:
        """Raises Missing, Refused, DirectoryError."""

        def change(cursor: Any) -> tuple[None, list[Told]]:
            changes = lists.change(cursor, number, values)
            if changes is None:
                raise Missing(f"there is no list {number}")
            return None, [Told(list_stream(number), ListChanged, {"changes": changes})] if changes else []

        self._commit(change, by)

    def delete(self, numbers: Sequence[int], *, by: str) -> int:
        """With their subscriptions; campaigns keep their names. How many there were."""

        def change(cursor: Any) -> tuple[int, list[Told]]:
            facts = []
            for number in sorted(set(numbers)):
                subscribers = lists.delete(cursor, number)
                if subscribers is not None:
                    facts.append(Told(list_stream(number), ListDeleted, {"subscribers": subscribers}))
            return len(facts), facts

        return self._commit(change, by)

    def _commit(self, change: Callable[[Any], tuple[Result, list[Told]]], by: str) -> Result:
        for _ in range(_TRIES):
            try:
                with self._pool.transaction() as cursor:
                    result, facts = change(cursor)
                    tell(cursor, self._log, facts, by)
                return result
            except Conflict:
                continue
        raise Outrun("others are changing the same list right now; please try again")


def created(cursor: Any, number: int) -> Told:
    """What is told of a list that was just made."""
    made = lists.one(cursor, number)
    assert made is not None
    told = {"name": made.name, "type": made.type, "optin": made.optin}
    return Told(list_stream(number), ListCreated, told)
