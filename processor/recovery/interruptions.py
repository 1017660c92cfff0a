"""Attempts that ended with their processor, each with what the log says of its delivery."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.utils import resolve_topic

from domain.delivery.delivery import AttemptStarted, Delivery
from domain.delivery.interrupted import Trace
from domain.fact import Fact
from domain.streams import campaign_of, delivery_stream
from processor.recovery.flight_recorder import Left
from projections.queue import queue

STORIES = """
    SELECT stream_id, version, topic, state, extract(epoch FROM recorded_at)::float8
    FROM events WHERE stream_id = ANY (%s::uuid[]) ORDER BY stream_id, version
"""


class Interruption(NamedTuple):
    delivery: Delivery
    started: AttemptStarted

    @property
    def campaign(self) -> int:
        return campaign_of(self.started.originator_id)

    def trace_in(self, left: Mapping[tuple[UUID, int], Left]) -> Trace | None:
        """What a flight record tells of it, if that means this very attempt."""
        found = left.get((self.started.originator_id, self.started.originator_version))
        if found is None or (found.server, found.reservation) != (
            self.started.server,
            self.started.reservation,
        ):
            return None
        return found.trace


def interruptions(cursor: Any, processors: Sequence[int]) -> list[Interruption]:
    """Attempts of these processors that have no outcome."""
    streams = [
        str(delivery_stream(attempt.campaign, attempt.recipient))
        for attempt in queue.in_flight(cursor, processors)
    ]
    cursor.execute(STORIES, (streams,))
    found: dict[UUID, tuple[Delivery, Fact]] = {}
    for stream, version, topic, state, recorded_at in cursor.fetchall():
        name = UUID(str(stream))
        kind: type[Fact] = resolve_topic(topic)
        fact = kind(originator_id=name, originator_version=version, **json.loads(bytes(state)))
        delivery, _ = found.get(name, (Delivery(), fact))
        delivery.apply(fact, recorded_at)
        found[name] = delivery, fact
    return [
        Interruption(delivery, last)
        for delivery, last in found.values()
        # Somebody else may have ended it since it was projected.
        if isinstance(last, AttemptStarted)
    ]
