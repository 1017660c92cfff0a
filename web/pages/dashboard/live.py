"""The dashboard kept current: fragments over server-sent events, or by polling with an ETag."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic

from flask import Blueprint, Response, current_app, jsonify, request

from web.http.access import lasting, needs
from web.http.errors import Refusal
from web.pages.dashboard.broadcast import Broadcast, Stream, TooManyStreams

blueprint = Blueprint("live", __name__)

CHECK_EVERY = 10.0
"""Seconds between looks at whether the viewer may still see it."""


def broadcast() -> Broadcast:
    found = current_app.extensions["postledger.broadcast"]
    assert isinstance(found, Broadcast)
    return found


@blueprint.get("/live")
@needs("read")
def stream() -> Response:
    """`Last-Event-ID`, or `after` on the first connection, names the last edition that was seen.
    503 when too many pages are open: the page then polls."""
    seen = request.headers.get("Last-Event-ID") or request.args.get("after")
    try:
        viewer = broadcast().stream(seen)
    except TooManyStreams:
        raise Refusal(
            503, "Too many live pages are open; this one polls instead.", {"Retry-After": "60"}
        ) from None
    response = Response(messages(viewer, lasting()), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(viewer.close)
    return response


def messages(viewer: Stream, may_go_on: Callable[[], bool]) -> Iterator[str]:
    """Ends soon after the session, the key or the time without accounts that it began under."""
    yield "retry: 2000\n\n"
    checked_at = monotonic()
    for item in viewer:
        if monotonic() - checked_at > CHECK_EVERY:
            if not may_go_on():
                return
            checked_at = monotonic()
        if item is None:
            yield ": still here\n\n"
        else:
            edition, fragments = item
            yield f"id: {edition}\nevent: fragments\ndata: {json.dumps(fragments)}\n\n"


@blueprint.get("/live/fragments")
@needs("read")
def fragments() -> Response:
    """All fragments at once; 304 when If-None-Match names the newest edition."""
    edition = broadcast().edition()
    response = jsonify(edition.fragments)
    response.set_etag(edition.name)
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response
