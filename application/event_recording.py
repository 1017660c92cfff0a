"""Event recording: events that go into the log in the transaction of the change that they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from application import permission
from domain.fact import Fact
from storage.log.append import Log
from storage.log.versions import versions


class EventToRecord(NamedTuple):
    stream: UUID
    kind: type[Fact]
    fields: Mapping[str, Any]


def record(cursor: Any, log: Log, events: Sequence[EventToRecord], by: str) -> None:
    """Best as the last step of the transaction: until its end nobody else can append. Raises Conflict when
    somebody else recorded something in the same stream at the same moment, and ScopeMissing."""
    if not events:
        return
    last = Counter(versions(cursor, list({one.stream for one in events})))
    stored = []
    for one in events:
        permission.check(one.kind.TOPIC)
        last[one.stream] += 1
        fact = one.kind(originator_id=one.stream, originator_version=last[one.stream], by=by, **one.fields)
        stored.append(fact.stored())
    log.append_within(cursor, stored)
