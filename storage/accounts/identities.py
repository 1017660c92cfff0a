"""Who a user is at an OpenID Connect provider: found by e-mail address once, by the provider's `sub` from
then on. Every function takes a cursor of an open transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def user_of(cursor: Any, issuer: str, subject: str) -> int | None:
    """The number of the user that is linked to this identity."""
    cursor.execute("SELECT user_number FROM identities WHERE issuer = %s AND subject = %s", (issuer, subject))
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def unlinked_user_with(cursor: Any, issuer: str, email: str) -> int | None:
    """Whose address it is, if nobody has come as that user from the provider before: an address that the
    provider has given to another person since must not open what the first one had."""
    cursor.execute(
        """
        SELECT number FROM users u WHERE email = %s
        AND NOT EXISTS (SELECT FROM identities i WHERE i.user_number = u.number AND i.issuer = %s)
        """,
        (email.lower(), issuer),
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def link(cursor: Any, issuer: str, subject: str, user: int, now: datetime) -> None:
    cursor.execute(
        "INSERT INTO identities (issuer, subject, user_number, linked_at) VALUES (%s, %s, %s, %s)",
        (issuer, subject, user, now),
    )


def linked_at(cursor: Any, user: int) -> datetime | None:
    """When the user came from a provider for the first time, the latest if from several."""
    cursor.execute("SELECT max(linked_at) FROM identities WHERE user_number = %s", (user,))
    row = cursor.fetchone()
    return None if row is None else row[0]


def email_of(cursor: Any, user: int) -> str | None:
    cursor.execute("SELECT email FROM users WHERE number = %s", (user,))
    row = cursor.fetchone()
    return None if row is None else row[0]


def has_email(cursor: Any, email: str) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM users WHERE email = %s)", (email,))
    return bool(cursor.fetchone()[0])


def set_email(cursor: Any, user: int, email: str | None) -> None:
    """Forgets who the user was at any provider: the address decides anew."""
    cursor.execute("UPDATE users SET email = %s, version = version + 1 WHERE number = %s", (email, user))
    cursor.execute("DELETE FROM identities WHERE user_number = %s", (user,))
