"""Refusals, and how every error is told: `{"message": …}` to programs, a page to people."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, render_template, request
from psycopg2 import InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException

from domain import errors as domain
from storage.log.append import Unavailable
from storage.pool import PoolClosed, PoolTimeout

log = logging.getLogger(__name__)


class Refusal(Exception):
    """A request that is answered with `status` and `message`; nothing was changed."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def install(app: Flask) -> None:
    @app.errorhandler(Refusal)
    def refused(error: Refusal) -> Response:
        return told(error.status, error.message, error.headers)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        """Keeps the headers that belong to the status, such as Allow with 405."""
        kept = {
            name: value
            for name, value in error.get_headers()
            if name.lower() not in ("content-type", "content-length")
        }
        return told(error.code or 500, SAYINGS.get(error.code or 500) or str(error.description), kept)

    @app.errorhandler(domain.Refused)
    def against_the_rules(error: domain.Refused) -> Response:
        return told(status_of(error), error.message)

    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    @app.errorhandler(PoolTimeout)
    @app.errorhandler(PoolClosed)
    @app.errorhandler(Unavailable)
    def database_away(error: Exception) -> Response:
        log.error("The database did not answer: %s", error)
        return told(503, "The database does not answer. Try again soon.", {"Retry-After": "5"})

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return told(500, "This failed for a reason that was not foreseen; the log of the service says more.")


def status_of(error: domain.Refused) -> int:
    """A field with a value that no state would allow is the request's fault, all else the state's."""
    if isinstance(error, domain.Missing):
        return 404
    return 400 if error.fields and error.field != "status" else 409


SAYINGS = {
    404: "There is nothing here.",
    405: "This address does not take that method.",
    413: "The request body is too large.",
}


def told(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    if wants_page():
        response = Response(
            render_template("error.html", status=status, message=message), mimetype="text/html"
        )
    else:
        response = jsonify(message=message)
    response.status_code = status
    response.headers.extend(headers or {})
    return response


def wants_page() -> bool:
    if request.path.startswith("/api/"):
        return False
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/json"]
