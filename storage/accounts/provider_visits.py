"""Who is on the way to an OpenID Connect provider and back. A visit is known by a random token, belongs to
one browser, and serves once. Every function takes a cursor of an open transaction."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

LONGEST = timedelta(minutes=10)


class Visit(NamedTuple):
    """`user` is None before the provider has vouched for one."""

    nonce: str
    verifier: str
    wanted: str
    user: int | None


def begin(cursor: Any, browser: str, visit: Visit, now: datetime) -> str:
    """The token. `browser` is what only the browser knows. Forgets what has expired."""
    cursor.execute("DELETE FROM provider_visits WHERE expires_at <= %s", (now,))
    token = secrets.token_urlsafe(32)
    cursor.execute(
        """
        INSERT INTO provider_visits (token, visit, nonce, verifier, wanted, user_number, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (_hash(token), _hash(browser), *visit, now + LONGEST),
    )
    return token


def find(cursor: Any, token: str, browser: str, now: datetime) -> Visit | None:
    cursor.execute(
        """
        SELECT nonce, verifier, wanted, user_number FROM provider_visits
        WHERE token = %s AND visit = %s AND expires_at > %s
        """,
        (_hash(token), _hash(browser), now),
    )
    row = cursor.fetchone()
    return None if row is None else Visit(*row)


def take(cursor: Any, token: str, browser: str, now: datetime) -> Visit | None:
    """The visit, which is over: nobody takes it a second time."""
    cursor.execute(
        """
        DELETE FROM provider_visits WHERE token = %s AND visit = %s AND expires_at > %s
        RETURNING nonce, verifier, wanted, user_number
        """,
        (_hash(token), _hash(browser), now),
    )
    row = cursor.fetchone()
    return None if row is None else Visit(*row)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
