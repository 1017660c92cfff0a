"""Facts that go into the log in the transaction of what they tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain.fact import Fact
from storage.log.append import Log
from storage.log.versions import versions


class Told(NamedTuple):
    stream: UUID
    kind: type[Fact]
    fields: Mapping[str, Any]


def tell(cursor: Any, log: Log, facts: Sequence[Told], by: str) -> None:
    """Best as the last step of the transaction: until its end nobody else can append. Raises Conflict when
    somebody else told of the same at the same moment."""
    if not facts:
        return
    last = Counter(versions(cursor, list({one.stream for one in facts})))
    stored = []
    for one in facts:
        last[one.stream] += 1
        fact = one.kind(originator_id=one.stream, originator_version=last[one.stream], by=by, **one.fields)
        stored.append(fact.stored())
    log.append_within(cursor, stored)
