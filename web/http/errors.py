"""Refusals, and how every error is told: problem+json (RFC 9457) to programs, a page to people.

A problem also carries `message`, the same as `detail`, which is what listmonk's clients read.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from psycopg2 import InterfaceError, OperationalError
from psycopg2.errors import QueryCanceled
from werkzeug.exceptions import HTTPException

from application.accounts.sign_in import TooManyAttempts
from application.installation import Behind, Unequipped
from application.permission import ScopeMissing
from application.turns import Crowded
from domain import errors as domain
from storage.log.append import Unavailable
from storage.people.personal_data import DirectoryError, TakenError
from storage.postgres.pool import PoolClosed, PoolTimeout

log = logging.getLogger(__name__)

MOST_NAMED = 20
"""Of the places of one request that are wrong."""
LONGEST_PLACE = 200
LONGEST_STEP = 40


class Refusal(Exception):
    """A request that is answered with `status` and `message`; nothing was changed. `fields` has a message
    for each field that was at fault, of the `part` of the request: body or query. `more` are further members
    of the problem."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        part: str = "body",
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.fields = fields or {}
        self.part = part
        self.more = more or {}


def install(app: Flask) -> None:
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(domain.Refused, against_the_rules)
    app.register_error_handler(TooManyAttempts, too_many)
    app.register_error_handler(ScopeMissing, scope_missing)
    app.register_error_handler(Crowded, crowded)
    app.register_error_handler(Behind, behind)
    app.register_error_handler(QueryCanceled, took_too_long)
    for error in (OperationalError, InterfaceError, PoolTimeout, PoolClosed, Unavailable):
        app.register_error_handler(error, database_away)
    app.register_error_handler(Exception, unexpected)


def refused(error: Refusal) -> Response:
    more = {**errors_of(error.fields, error.part), **error.more}
    return error_answer(error.status, error.message, error.headers, more)


def http_error(error: HTTPException) -> Response:
    """Keeps the headers that belong to the status, such as Allow with 405."""
    kept = {
        name: value
        for name, value in error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    return error_answer(error.code or 500, MESSAGES.get(error.code or 500) or str(error.description), kept)


def against_the_rules(error: domain.Refused) -> Response:
    """What the state does not allow tells the version of that state."""
    status, more = status_of(error), errors_of(error.fields, "body")
    if error.version is None or status not in (409, 412):
        return error_answer(status, error.message, more=more)
    return error_answer(
        status, error.message, {"ETag": f'"{error.version}"'}, {**more, "version": error.version}
    )


def too_many(error: TooManyAttempts) -> Response:
    return error_answer(429, error.message, retry_after(error))


def scope_missing(error: ScopeMissing) -> Response:
    log.warning("refused %s %r: %s", request.method, request.path, error)
    return error_answer(403, error.message)


def crowded(error: Crowded) -> Response:
    return error_answer(503, error.message, retry_after(error))


def behind(_: Behind) -> Response:
    message = "The figures are behind the log right now. Try again soon."
    return error_answer(503, message, {"Retry-After": "10"})


def database_away(error: Exception) -> Response:
    log.error("The database did not answer: %s", error)
    return error_answer(503, "The database does not answer. Try again soon.", {"Retry-After": "5"})


def took_too_long(_: QueryCanceled) -> Response:
    message = "The database took too long, so this was stopped; nothing was changed. Ask for less at a time."
    return error_answer(503, message, {"Retry-After": "10"})


def unexpected(error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return error_answer(500, "This failed for an unexpected reason; the service’s log says more.")


def status_of(error: domain.Refused) -> int:
    """A field with a value that no state would allow is the request's fault, all else the state's."""
    if isinstance(error, domain.Missing):
        return 404
    if isinstance(error, Unequipped):
        return 503
    if isinstance(error, domain.VersionConflict):
        return 412
    if isinstance(error, DirectoryError):
        return 409 if isinstance(error, TakenError) else 400
    return 400 if error.fields and error.field != "status" else 409


def retry_after(error: TooManyAttempts | Crowded) -> dict[str, str]:
    return {"Retry-After": str(error.seconds)}


MESSAGES = {
    404: "There is no such page.",
    405: "This address does not accept that method.",
    413: "The request body is too large.",
}


KINDS = {
    400: "invalid",
    401: "not-signed-in",
    403: "not-allowed",
    404: "not-found",
    409: "conflict",
    412: "changed-meanwhile",
    422: "key-reused",
    429: "too-many-requests",
    503: "not-now",
}
"""The kinds of problems that are worth a name of their own; /api/docs says what to do about each."""


def error_answer(
    status: int, message: str, headers: dict[str, str] | None = None, more: Mapping[str, Any] | None = None
) -> Response:
    if wants_page():
        response = Response(
            render_template("error.html", status=status, message=message), mimetype="text/html"
        )
    else:
        response = jsonify(problem(status, message) | dict(more or {}))
        response.content_type = "application/problem+json"
    response.status_code = status
    response.headers.extend(headers or {})
    return response


def problem(status: int, message: str) -> dict[str, Any]:
    kind = KINDS.get(status)
    return {
        "type": f"/api/docs#problem-{kind}" if kind else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": request.path,
        "message": message,
    }


def errors_of(fields: Mapping[str, str], part: str) -> dict[str, Any]:
    """`errors`: for each field where it is (a JSON pointer into the body, or the parameter), and what is
    wrong with it."""
    if not fields:
        return {}
    return {
        "errors": [
            ({"pointer": "/" + name.replace(".", "/")} if part == "body" else {"parameter": name})
            | {"detail": message.removeprefix(f"{name}: ")}
            for name, message in fields.items()
        ]
    }


def place(steps: Sequence[str | int]) -> str:
    """What a place in a body is called in refusals, however long the names of the request are."""
    return ".".join(str(step)[:LONGEST_STEP] for step in steps)[:LONGEST_PLACE]


def wants_page() -> bool:
    if request.path.startswith("/api/"):
        return False
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/json"]
