"""What was done with one thing, and by whom: the events of its stream, as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from projections.servers import servers as all_servers
from storage.people import lists
from web.pages.log.event_descriptions import EventDescription, describe
from web.pages.log.events import LoggedEvent, newest_of_stream

MOST = 100


@dataclass(frozen=True, kw_only=True)
class RecordedChange:
    event: LoggedEvent
    description: EventDescription


def changes_of(cursor: Any, stream: UUID) -> list[RecordedChange]:
    """Newest first, at most a hundred. Lists are named as they are called now."""
    events = newest_of_stream(cursor, stream, MOST)
    servers = {one.server: one.name for one in all_servers(cursor)}
    numbers = {number for event in events for number in event.state.get("lists", [])}
    names = lists.names(cursor, sorted(numbers)) if numbers else {}
    return [
        RecordedChange(
            event=event, description=describe(event.topic, with_names(event.state, names), servers)
        )
        for event in events
    ]


def with_names(state: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    if "lists" not in state:
        return state
    return {**state, "lists": [names.get(number, number) for number in state["lists"]]}
