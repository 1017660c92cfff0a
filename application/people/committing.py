"""Committing a change of the directory together with the events of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from application.event_recording import EventToRecord, record
from application.installation import Installation
from domain.errors import Outrun
from storage.log.append import Conflict

TRIES = 3

Result = TypeVar("Result")


def committed(
    installation: Installation,
    change: Callable[[Any], tuple[Result, list[EventToRecord]]],
    *,
    of: str,
    by: str,
) -> Result:
    """What `change` returns beside the events, all in one transaction; anew when somebody else recorded
    something in one of the streams at the same moment. Raises Outrun, which names `of` what it was."""
    for _ in range(TRIES):
        try:
            with installation.pool.transaction() as cursor:
                result, events = change(cursor)
                record(cursor, installation.log, events, by)
            return result
        except Conflict:
            continue
    raise Outrun(f"others are changing the same {of} right now; please try again")
