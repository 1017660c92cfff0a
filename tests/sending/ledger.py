"""What the log says in the end, read without the code that sends."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple
from uuid import UUID

from domain.streams import Kind, campaign_of, kind_of, number_of
from storage.postgres.pool import Pool

EVENTS = "SELECT position, stream_id, version, topic, state FROM events WHERE position > %s ORDER BY position"


class Event(NamedTuple):
    position: int
    stream: UUID
    version: int
    topic: str
    state: dict[str, Any]


class Units(NamedTuple):
    """Of one server: what was reserved, what of it came back, how many attempts there were, and how many of
    these ended before anything was written to the server, so that they used no unit."""

    reserved: int
    unused: int
    refused: int
    attempts: int
    untouched: int = 0

    @property
    def used(self) -> int:
        return self.attempts - self.untouched


def events(pool: Pool, after: int = 0) -> list[Event]:
    with pool.transaction() as cursor:
        cursor.execute(EVENTS, (after,))
        return [
            Event(position, UUID(str(stream)), version, topic, json.loads(bytes(state)))
            for position, stream, version, topic, state in cursor.fetchall()
        ]


def head(pool: Pool) -> int:
    with pool.transaction() as cursor:
        cursor.execute("SELECT position FROM log_head")
        (position,) = cursor.fetchone() or (0,)
    return int(position)


def units(found: list[Event]) -> dict[int, Units]:
    """By server."""
    reserved, unused, refused, attempts = Counter[int](), Counter[int](), Counter[int](), Counter[int]()
    untouched = Counter[int]()
    for event in found:
        if event.topic == "capacity.reserved":
            reserved[number_of(event.stream)] += event.state["n"]
        elif event.topic == "capacity.returned":
            unused[number_of(event.stream)] += event.state.get("unused", 0)
            refused[number_of(event.stream)] += event.state.get("refused", 0)
        elif event.topic == "delivery.attempt_started":
            attempts[event.state["server"]] += 1
        elif event.topic == "delivery.deferred" and event.state["reply"].startswith("not offered: "):
            untouched[event.state["server"]] += 1
    return {
        server: Units(reserved[server], unused[server], refused[server], attempts[server], untouched[server])
        for server in reserved
    }


def left_open(found: list[Event]) -> list[tuple[int, int]]:
    """Reservations (server, version) that were neither used up nor returned."""
    open_units: dict[tuple[int, int], int] = {}
    for event in found:
        if event.topic == "capacity.reserved":
            open_units[number_of(event.stream), event.version] = event.state["n"]
        elif event.topic == "capacity.returned":
            open_units.pop((number_of(event.stream), event.state["reservation"]), None)
        elif event.topic == "delivery.attempt_started":
            key = (event.state["server"], event.state["reservation"])
            assert key in open_units, f"{event} names a reservation that is closed, or none"
            open_units[key] -= 1
            assert open_units[key] >= 0, f"{event} overdraws its reservation"
    return [key for key, n in open_units.items() if n]


def returned_twice(found: list[Event]) -> list[tuple[int, int]]:
    counts = Counter(
        (number_of(event.stream), event.state["reservation"])
        for event in found
        if event.topic == "capacity.returned"
    )
    return [key for key, n in counts.items() if n > 1]


def unknown_of(found: list[Event]) -> Counter[str]:
    """By processor that had started the attempt: how many outcomes became unknown."""
    starters: dict[UUID, str] = {}
    unknown: Counter[str] = Counter()
    for event in found:
        if event.topic == "delivery.attempt_started":
            starters[event.stream] = event.state["by"]
        elif event.topic == "delivery.outcome_unknown":
            unknown[starters[event.stream]] += 1
    return unknown


def ended_by_others(found: list[Event]) -> Counter[str]:
    """By topic: outcomes of attempts that their own processor did not live to record."""
    starters: dict[UUID, tuple[int, str]] = {}
    ended: Counter[str] = Counter()
    for event in found:
        if event.topic == "delivery.attempt_started":
            starters[event.stream] = event.version, event.state["by"]
        elif event.stream in starters:
            version, starter = starters[event.stream]
            if event.version == version + 1 and event.state["by"] != starter:
                ended[event.topic] += 1
    return ended


def deliveries(found: list[Event]) -> dict[tuple[int, int], str]:
    """By campaign and recipient: the topic of the last event."""
    return {
        (campaign_of(event.stream), number_of(event.stream)): event.topic
        for event in found
        if kind_of(event.stream) is Kind.DELIVERY
    }
