"""How often servers refused deliveries because of themselves, once they knew whom the e-mail was for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from domain.delivery.delivery import Deferred, Requeued, provoked_after
from domain.streams import campaign_of, delivery_stream, number_of
from projections.queue.queue import Due

EVENTS_AN_ATTEMPT = 2

PAST = """
    SELECT stream_id, version, topic, state FROM events
    WHERE stream_id = ANY (%s::uuid[]) AND topic = ANY (%s)
    ORDER BY stream_id, version
"""


def provocations(cursor: Any, rows: Iterable[Due]) -> dict[tuple[int, int], int]:
    """By campaign and recipient. Only who has more events than the attempts that counted can have any."""
    streams = [
        str(delivery_stream(row.campaign, row.recipient))
        for row in rows
        if row.version > EVENTS_AN_ATTEMPT * row.attempts
    ]
    found: dict[tuple[int, int], int] = {}
    if not streams:
        return found
    cursor.execute(PAST, (streams, [Deferred.TOPIC, Requeued.TOPIC]))
    for stream_id, version, topic, state in cursor.fetchall():
        stream = UUID(str(stream_id))
        kind = Deferred if topic == Deferred.TOPIC else Requeued
        fact = kind(originator_id=stream, originator_version=version, **json.loads(bytes(state)))
        key = (campaign_of(stream), number_of(stream))
        found[key] = provoked_after(found.get(key, 0), fact)
    return found
