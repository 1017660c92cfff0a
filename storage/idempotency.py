"""Requests that may be repeated with one effect: their keys, and the answers that are given again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

KEPT_FOR = timedelta(hours=24)

CLAIM = """
    INSERT INTO idempotency_keys (principal, key, request, begun_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
LARGE = """
    SELECT coalesce(sum(octet_length(body)), 0) FROM idempotency_keys
    WHERE principal = %s AND octet_length(body) > 1024
"""
FIND = """
    SELECT request, begun_at, status, headers, body FROM idempotency_keys WHERE principal = %s AND key = %s
"""


class Earlier(NamedTuple):
    """A request that came with the key before; `status` None: it is under way, or ended without an
    answer."""

    request: bytes
    begun_at: datetime
    status: int | None
    headers: Mapping[str, str] | None
    body: bytes | None


def claim(cursor: Any, principal: str, key: bytes, request: bytes, now: datetime) -> Earlier | None:
    """None when the key is new, and now belongs to this request. Commit before the request is worked on."""
    cursor.execute("DELETE FROM idempotency_keys WHERE begun_at < %s", (now - KEPT_FOR,))
    cursor.execute(CLAIM, (principal, key, request, now))
    if cursor.rowcount == 1:
        return None
    cursor.execute(FIND, (principal, key))
    row = cursor.fetchone()
    if row is None:
        return claim(cursor, principal, key, request, now)
    found, begun_at, status, headers, body = row
    return Earlier(bytes(found), begun_at, status, headers, None if body is None else bytes(body))


def keep(
    cursor: Any, principal: str, key: bytes, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """The answer, to be given again."""
    cursor.execute(
        "UPDATE idempotency_keys SET status = %s, headers = %s, body = %s WHERE principal = %s AND key = %s",
        (status, json.dumps(dict(headers)), body, principal, key),
    )


def room_taken(cursor: Any, principal: str) -> int:
    """Bytes, of those answers that are more than a line or two."""
    cursor.execute(LARGE, (principal,))
    return int(cursor.fetchone()[0])


def release(cursor: Any, principal: str, key: bytes) -> None:
    """Nothing was done: the key may be used again."""
    cursor.execute("DELETE FROM idempotency_keys WHERE principal = %s AND key = %s", (principal, key))
