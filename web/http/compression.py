"""Answers that go out compressed: assets, and the dashboard.

No others: the length of a compressed page tells what is secret in it to whoever can have text of their own
put beside it (BREACH). Of these, assets hold no secret, and the dashboard repeats nothing that a link brings.
"""

from __future__ import annotations

import gzip
from functools import lru_cache

from flask import Flask, Response, request

COMPRESSED = frozenset({"static", "dashboard.page", "live.fragments"})
SMALLEST = 1000
"""Bytes; what is smaller gains nothing."""


def install(app: Flask) -> None:
    @app.after_request
    def compress(response: Response) -> Response:
        if request.endpoint not in COMPRESSED:
            return response
        response.vary.add("Accept-Encoding")
        if response.status_code != 200 or not request.accept_encodings.quality("gzip"):
            return response
        response.direct_passthrough = False
        content = response.get_data()
        if len(content) >= SMALLEST:
            response.set_data(_kept(content) if request.endpoint == "static" else _compressed(content))
            response.content_encoding = "gzip"
            _weaken(response)
        return response


def _weaken(response: Response) -> None:
    """Another encoding is another representation (RFC 9110, section 8.8.3): a strong tag would be wrong."""
    tag, _ = response.get_etag()
    if tag is not None:
        response.set_etag(tag, weak=True)


def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=6, mtime=0)


_kept = lru_cache(maxsize=64)(_compressed)
