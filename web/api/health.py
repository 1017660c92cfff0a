"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flask import Blueprint, Response, jsonify
from psycopg2 import Error

from domain.clock import instant
from domain.failing_jobs import FailingJob
from projections.availability import nobody_sends
from projections.following import schema
from projections.following.schema import log_head
from storage import processors
from storage.postgres.pool import PoolClosed, PoolTimeout
from web.http.access import may, needs
from web.http.services import reading

blueprint = Blueprint("health", __name__)

log = logging.getLogger(__name__)

FAR_BEHIND = 200_000
"""Events that the projections may lag: more, and what is shown is too old to act on."""


@blueprint.get("/healthz")
@needs("public")
def alive() -> Response:
    return jsonify(data={"status": "ok"})


@blueprint.get("/readyz")
@needs("public")
def ready() -> Response:
    """503 when the database, its tables or the projections are not ready; else 200, with `status` degraded
    while a processor fails or none lives: pages and the links in e-mails work all the same. Why, and how far
    the figures are, is for those who may read, and in the log of the service."""
    try:
        with reading() as cursor:
            outdated = schema.outdated(cursor)
            standing = None if outdated else _standing(cursor)
    except (Error, PoolClosed, PoolTimeout) as error:
        log.error("the database cannot be used: %s", str(error).strip())
        return unready("The database cannot be used.")
    if standing is None:
        return not_ready(f"To be rebuilt (postledger projections rebuild): {', '.join(outdated)}.")
    if standing.lag > FAR_BEHIND:
        return not_ready(f"The projections are {standing.lag:,} events behind the log.")
    data: dict[str, Any] = {"status": "degraded" if standing.is_degraded else "ready"}
    if may("read"):
        data |= standing.fields()
    return jsonify(data=data)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far the projections are behind `position`, and how its processors do."""

    position: int
    lag: int
    processors: int
    nobody_sends: bool
    failing: Sequence[FailingJob]

    @property
    def is_degraded(self) -> bool:
        return self.nobody_sends or bool(self.failing)

    def fields(self) -> dict[str, Any]:
        jobs = [{**asdict(job), "since": instant(job.since)} for job in self.failing]
        counts = {"position": self.position, "lag": self.lag, "processors": self.processors}
        return {**counts, "failing": jobs}


def _standing(cursor: Any) -> Standing:
    head, now = log_head(cursor), processors.database_time(cursor)
    return Standing(
        position=head,
        lag=head - min(schema.positions(cursor).values(), default=0),
        processors=processors.running(cursor, now),
        nobody_sends=nobody_sends(cursor) is not None,
        failing=processors.failing_or_ending(cursor, now),
    )


def not_ready(reason: str) -> Response:
    log.warning("not ready: %s", reason)
    return unready(reason if may("read") else "Not ready: the log of the service says why.")


def unready(message: str) -> Response:
    response = jsonify(message=message)
    response.status_code = 503
    return response
