"""Which version of a thing an answer shows, and which one a change is meant for (RFC 9110, 8.8.3 and 13)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from flask import Response, request

from projections.following import schema
from web.http.errors import Refusal
from web.http.services import release, services

TAG = re.compile(r'(?:W/)?"?([0-9]{1,10})(?:-[0-9a-f]+)?"?')
"""Only the version counts, so a tag that a proxy has made weak will do."""
VERSION = "SELECT coalesce(max(version), 0) FROM events WHERE stream_id = %s AND position <= %s"


@dataclass(frozen=True)
class Versioned:
    """An answer about something that changes by versions, as of one of them."""

    data: Any
    version: int


def shown_version(cursor: Any, stream: UUID) -> int:
    """The version that the projections show at least. Ask before reading from them: an answer may be newer
    than it says, which costs a refusal, but never older."""
    position = min(schema.positions(cursor).values(), default=0)
    cursor.execute(VERSION, (str(stream), position))
    return int(cursor.fetchone()[0])


def position_tag(cursor: Any) -> str:
    """For answers that follow from the projections alone, and not from the time."""
    positions = sorted(schema.positions(cursor).items())
    return sha256(repr((release(), positions)).encode()).hexdigest()[:16]


def tag(response: Response, version: int | None) -> Response:
    """The tag is that of the content, after the version where there is one."""
    digest = sha256(response.get_data()).hexdigest()[:16]
    response.set_etag(digest if version is None else f"{version}-{digest}")
    return response


def wanted_version() -> int | None:
    """The version that If-Match names, None without one. Its tag is one of ours, or the version alone."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    found = TAG.fullmatch(given.strip())
    if found is None:
        raise Refusal(400, 'If-Match: the ETag of an answer is expected, or a version as in "7".')
    return int(found[1])


@contextmanager
def as_wanted() -> Iterator[None]:
    """A change within the block is made only at the version that If-Match names."""
    with services().application.expecting(wanted_version()):
        yield
