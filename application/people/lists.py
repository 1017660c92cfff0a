"""What can be done with lists, for pages, API and command line alike. Every command names who gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from application.event_recording import EventToRecord
from application.installation import Installation
from application.people.committing import Result, committed
from application.precondition import check_content
from domain.errors import Missing
from domain.people.people import ListChanged, ListCreated, ListDeleted
from domain.streams import list_stream
from storage.people import lists


class Lists:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def create(self, values: Mapping[str, Any], *, by: str) -> int:
        """`values` are name and any of type, optin, status, tags, description. Returns the number. Raises
        Refused with a message for each field that is wrong, DirectoryError when the name is taken."""

        def change(cursor: Any) -> tuple[int, list[EventToRecord]]:
            number = lists.create(cursor, values)
            return number, [created(cursor, number)]

        return self._commit(change, by)

    def change(self, number: int, values: Mapping[str, Any], *, by: str) -> None:
        """Raises Missing, Refused, DirectoryError."""

        def change(cursor: Any) -> tuple[None, list[EventToRecord]]:
            lists.lock(cursor, [number])
            check_content(cursor)
            changes = lists.change(cursor, number, values)
            if changes is None:
                raise Missing(f"there is no list {number}")
            return None, [
                EventToRecord(list_stream(number), ListChanged, {"changes": changes})
            ] if changes else []

        self._commit(change, by)

    def delete(self, numbers: Sequence[int], *, by: str) -> int:
        """With their subscriptions; campaigns keep their names. How many there were."""

        def change(cursor: Any) -> tuple[int, list[EventToRecord]]:
            events = []
            lists.lock(cursor, numbers)
            check_content(cursor)
            for number in sorted(set(numbers)):
                subscribers = lists.delete(cursor, number)
                if subscribers is not None:
                    events.append(
                        EventToRecord(list_stream(number), ListDeleted, {"subscribers": subscribers})
                    )
            return len(events), events

        return self._commit(change, by)

    def _commit(self, change: Callable[[Any], tuple[Result, list[EventToRecord]]], by: str) -> Result:
        return committed(self._installation, change, of="list", by=by)


def created(cursor: Any, number: int) -> EventToRecord:
    """What is told of a list that was just made."""
    made = lists.one(cursor, number)
    assert made is not None
    values = {"name": made.name, "type": made.type, "optin": made.optin}
    return EventToRecord(list_stream(number), ListCreated, values)
