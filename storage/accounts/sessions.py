"""Who is signed in. A session is known by a random token that only the browser has; here is its hash."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)
"""How exact `seen_at` is: not every request has to write."""


class SignedIn(NamedTuple):
    session: int
    user: int
    name: str
    role: str
    must_enrol: bool


class SignedInBrowser(NamedTuple):
    number: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    browser: str


def begin(cursor: Any, user: int, now: datetime, *, address: str, browser: str) -> str:
    """A new token. Forgets what has expired, whoever's it was."""
    cursor.execute("DELETE FROM sessions WHERE expires_at <= %s OR seen_at <= %s", (now, now - IDLE))
    token = secrets.token_urlsafe(32)
    cursor.execute(
        """
        INSERT INTO sessions (token, user_number, created_at, seen_at, expires_at, address, browser)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (_hash(token), user, now, now, now + LONGEST, address[:64], browser[:200]),
    )
    return token


def signed_in(cursor: Any, token: str, now: datetime, *, counts_as_use: bool = True) -> SignedIn | None:
    """Whose session it is, and whether that is good for nothing but setting up the second factor that the
    role needs; None when it has ended, or its user may not sign in. A page that asks on its
    own does not count as use."""
    cursor.execute(
        """
        SELECT s.number, u.number, u.name, u.role,
               u.second_factor IS NULL AND u.role IN (SELECT role FROM required_second_factors),
               s.seen_at
        FROM sessions s JOIN users u ON u.number = s.user_number
        WHERE s.token = %s AND s.expires_at > %s AND s.seen_at > %s AND NOT u.disabled
        """,
        (_hash(token), now, now - IDLE),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    if counts_as_use and row[5] <= now - SEEN_EVERY:
        cursor.execute("UPDATE sessions SET seen_at = %s WHERE number = %s", (now, row[0]))
    return SignedIn(*row[:5])


def of_user(cursor: Any, user: int, now: datetime) -> list[SignedInBrowser]:
    """Those that have not ended, the last used first."""
    cursor.execute(
        """
        SELECT number, created_at, seen_at, expires_at, address, browser FROM sessions
        WHERE user_number = %s AND expires_at > %s AND seen_at > %s ORDER BY seen_at DESC, number DESC
        """,
        (user, now, now - IDLE),
    )
    return [SignedInBrowser(*row) for row in cursor.fetchall()]


def end(cursor: Any, token: str) -> None:
    cursor.execute("DELETE FROM sessions WHERE token = %s", (_hash(token),))


def end_one(cursor: Any, user: int, number: int) -> bool:
    cursor.execute("DELETE FROM sessions WHERE user_number = %s AND number = %s", (user, number))
    return bool(cursor.rowcount)


def end_all(cursor: Any, user: int) -> int:
    cursor.execute("DELETE FROM sessions WHERE user_number = %s", (user,))
    return int(cursor.rowcount)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
