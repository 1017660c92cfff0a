"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify
from psycopg2 import Error

from domain.clock import instant
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
    while a processor fails: pages and the links in e-mails work all the same. Why, and how far the figures
    are, is for those who may read, and in the log of the service."""
    try:
        with reading() as cursor:
            head = log_head(cursor)
            positions = schema.positions(cursor)
            outdated = schema.outdated(cursor)
            failing = processors.failing(cursor, processors.database_time(cursor))
    except (Error, PoolClosed, PoolTimeout) as error:
        log.error("the database cannot be used: %s", str(error).strip())
        return unready("The database cannot be used.")
    if outdated:
        return not_ready(f"To be rebuilt (postledger projections rebuild): {', '.join(outdated)}.")
    lag = head - min(positions.values(), default=0)
    if lag > FAR_BEHIND:
        return not_ready(f"The projections are {lag:,} events behind the log.")
    data: dict[str, Any] = {"status": "degraded" if failing else "ready"}
    if may("read"):
        jobs = [{**asdict(job), "since": instant(job.since)} for job in failing]
        data |= {"position": head, "lag": lag, "failing": jobs}
    return jsonify(data=data)


def not_ready(reason: str) -> Response:
    log.warning("not ready: %s", reason)
    return unready(reason if may("read") else "Not ready: the log of the service says why.")


def unready(message: str) -> Response:
    response = jsonify(message=message)
    response.status_code = 503
    return response
