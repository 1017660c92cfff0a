"""Queueing: writes the audience of a started campaign into the log, a thousand recipients a fact.

The audience goes in by ascending recipient number, so the last fact in the stream says where to go on
after a crash, and the expected version of the stream keeps two processors from queueing the same people.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from application.decisions.postledger import Postledger
from domain.campaign.audience import LARGEST_CHUNK, RecipientsQueued
from domain.errors import Refused
from domain.streams import audience_stream
from storage.audience.selection import next_ranges
from storage.log.committer import Committer, Conflict
from storage.postgres.pool import Pool

log = logging.getLogger(__name__)

CHUNKS_A_COMMIT = 100

LAST = "SELECT version, state FROM events WHERE stream_id = %s ORDER BY version DESC LIMIT 1"

QUEUED = """
    SELECT coalesce(sum((convert_from(state, 'UTF8')::jsonb->>'count')::integer), 0)
    FROM events WHERE stream_id = %s
"""


class Queueing:
    def __init__(self, pool: Pool, application: Postledger, committer: Committer, actor: str) -> None:
        self._pool = pool
        self._application = application
        self._committer = committer
        self._actor = actor

    def step(self, campaign: int) -> bool:
        """Queues up to 100,000 more people; True when there may be more.

        Stops without an error when the campaign was cancelled or another processor queues it too.
        """
        aggregate = self._application.campaign(campaign)
        if not aggregate.is_queueing():
            return False
        with self._pool.transaction() as cursor:
            version, after = _where_it_stands(cursor, campaign)
            chunks = next_ranges(cursor, list(aggregate.lists), after, CHUNKS_A_COMMIT * LARGEST_CHUNK)
        if not chunks:
            return self._finish(campaign)
        facts = [
            RecipientsQueued(
                originator_id=audience_stream(campaign),
                originator_version=version + number,
                by=self._actor,
                ranges=ranges,
                count=count,
            ).stored()
            for number, (ranges, count) in enumerate(chunks, 1)
        ]
        try:
            self._committer.append(facts)
        except Conflict:
            return False
        return True

    def _finish(self, campaign: int) -> bool:
        with self._pool.transaction() as cursor:
            recipients = _queued(cursor, campaign)
        try:
            self._application.finish_queueing(campaign, recipients=recipients, by=self._actor)
        except Refused as refusal:
            log.info("campaign %d did not finish queueing: %s", campaign, refusal)
        return False


def _where_it_stands(cursor: Any, campaign: int) -> tuple[int, int]:
    """(version of the audience stream, last recipient number queued), zeros for an empty one."""
    cursor.execute(LAST, (str(audience_stream(campaign)),))
    row = cursor.fetchone()
    if row is None:
        return 0, 0
    return row[0], json.loads(bytes(row[1]))["ranges"][-1][1]


def _queued(cursor: Any, campaign: int) -> int:
    cursor.execute(QUEUED, (str(audience_stream(campaign)),))
    return int(cursor.fetchone()[0])
