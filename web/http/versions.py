"""Which version of a thing an answer shows (RFC 9110, section 8.8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from flask import Response

from projections.following import schema
from web.http.services import release

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
    digest = digest_of(response)
    response.set_etag(digest if version is None else f"{version}-{digest}")
    return response


def digest_of(response: Response) -> str:
    return sha256(response.get_data()).hexdigest()[:16]
