"""One batch of the log, decoded once into a temporary table that every projection folds from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from domain.campaign.audience import LARGEST_CHUNK
from domain.delivery.delivery import STATUS_AFTER, Status

NUMBERS = {status.value: status.number for status in Status}
"""Of the states of deliveries, for SQL that names them, as in `status = %(queued)s`."""

# Emptied at the start too: a rebuild ends with several batches in one transaction.
# `number` is the recipient of a delivery, the server of a server or capacity stream. `status` is the number
# of the state that an event of a delivery leads to. Those have no `state` here, all others have nothing
# but it: there are few of them.
TABLE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS batch (
        position    bigint      NOT NULL,
        stream      uuid        NOT NULL,
        at          timestamptz NOT NULL,
        topic       text        NOT NULL,
        campaign    integer     NOT NULL,
        number      integer     NOT NULL,
        version     integer     NOT NULL,
        status      smallint,
        server      integer,
        reservation integer,
        again       float8,
        about       text,
        reply       text,
        state       jsonb
    ) ON COMMIT DELETE ROWS;
    DELETE FROM batch
"""

# Bytes 0-3 of a stream's name are the campaign, 12-15 the number (domain.streams).
# A reply may hold a NUL, which jsonb refuses. It is shown as domain.delivery.reply.with_code does.
DECODE = r"""
    INSERT INTO batch
    SELECT position, stream_id, recorded_at, topic,
           (get_byte(name, 0) << 24) + (get_byte(name, 1) << 16) + (get_byte(name, 2) << 8)
               + get_byte(name, 3),
           (get_byte(name, 12) << 24) + (get_byte(name, 13) << 16) + (get_byte(name, 14) << 8)
               + get_byte(name, 15),
           version, status,
           CASE WHEN status IS NOT NULL THEN (fields->>'server')::integer END,
           CASE WHEN status = %(sending)s THEN (fields->>'reservation')::integer END,
           CASE WHEN status = %(queued)s THEN (fields->>'again')::float8 END,
           CASE WHEN status IN (%(queued)s, %(failed)s) THEN fields->>'about' END,
           CASE WHEN status NOT IN (%(sending)s, %(sent)s)
                THEN coalesce(rtrim((fields->>'code') || ' ' || (fields->>'reply')),
                              fields->>'reply', fields->>'reason') END,
           CASE WHEN status IS NULL THEN fields END
    FROM (
        SELECT e.position, e.stream_id, e.recorded_at, e.topic, e.version, known.status,
               uuid_send(e.stream_id) AS name,
               replace(convert_from(e.state, 'UTF8'), '\u0000', '\ufffd')::jsonb AS fields
        FROM events e JOIN unnest(%(topics)s::text[], %(statuses)s::smallint[]) AS known (topic, status)
             ON known.topic = e.topic
        WHERE e.position > %(after)s AND e.position <= %(upto)s
        OFFSET 0
    ) AS decoded
"""

CUT = """
    SELECT position FROM (
        SELECT position, sum((state->>'count')::integer) OVER (ORDER BY position) AS recipients
        FROM batch WHERE topic = 'audience.recipients_queued') AS counted
    WHERE recipients > %s ORDER BY position LIMIT 1
"""


class DecodedEvent(NamedTuple):
    """An event of an aggregate, decoded. `number` is a server's; `campaign` is 0 where none is meant."""

    position: int
    at: datetime
    topic: str
    campaign: int
    number: int
    version: int
    state: dict[str, Any]


@dataclass(frozen=True)
class EventBatch:
    """The events in the positions (after, upto], in the table `batch` of this transaction."""

    after: int
    upto: int
    topics: frozenset[str]

    def has(self, topics: Iterable[str]) -> bool:
        return not self.topics.isdisjoint(topics)

    def events(self, cursor: Any, topics: Iterable[str]) -> Iterator[DecodedEvent]:
        """Those few that are applied one by one, in the order of the log."""
        wanted = sorted(self.topics.intersection(topics))
        if wanted:
            cursor.execute(
                "SELECT position, at, topic, campaign, number, version, state FROM batch"
                " WHERE topic = ANY (%s) ORDER BY position",
                (wanted,),
            )
            yield from map(DecodedEvent._make, cursor.fetchall())


def decode(cursor: Any, topics: Iterable[str], after: int, upto: int, largest_audience: int) -> EventBatch:
    """Fills the table `batch` with the events in (after, upto], or up to the first RecipientsQueued
    that makes it more than `largest_audience` recipients."""
    cursor.execute(TABLE)
    known = sorted(topics)
    cursor.execute(
        DECODE,
        {
            "topics": known,
            "statuses": [_number_after(topic) for topic in known],
            "after": after,
            "upto": upto,
            **NUMBERS,
        },
    )
    cursor.execute("SELECT topic, count(*) FROM batch GROUP BY topic")
    counts: dict[str, int] = dict(cursor.fetchall())
    if counts.get("audience.recipients_queued", 0) * LARGEST_CHUNK > largest_audience:
        upto = _cut(cursor, largest_audience) or upto
        cursor.execute("SELECT DISTINCT topic FROM batch")
        counts = {topic: 1 for (topic,) in cursor.fetchall()}
    return EventBatch(after, upto, frozenset(counts))


def _number_after(topic: str) -> int | None:
    status = STATUS_AFTER.get(topic)
    return None if status is None else status.number


def _cut(cursor: Any, largest_audience: int) -> int | None:
    """Up to where the batch goes then; None when all of it can stay."""
    cursor.execute(CUT, (largest_audience,))
    row = cursor.fetchone()
    if row is None:
        return None
    first_left_out = int(row[0])
    cursor.execute("DELETE FROM batch WHERE position >= %s", (first_left_out,))
    return first_left_out - 1
