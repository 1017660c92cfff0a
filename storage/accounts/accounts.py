"""Users and their passwords. Every function takes a cursor of an open transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(time_cost=3, memory_cost=32_768, parallelism=1)
"""argon2id, 32 MiB: above the least that OWASP asks for, some 50 ms."""

DECOY = "$argon2id$v=19$m=32768,t=3,p=1$oOke8B0MSTHZSmgLiHHu8g$VtBZD/2OXt9Fk2mtjSAnYGUf/CKaZKQyzGT5zbAi57c"
"""The hash of a password that nobody has: checking it takes as long as checking anybody's."""


class User(NamedTuple):
    """`version` is that of the last event in the user's stream."""

    number: int
    name: str
    role: str
    disabled: bool
    has_second_factor: bool
    version: int
    created_at: datetime
    password_changed_at: datetime
    signed_in_at: datetime | None


_USER = """
    SELECT number, name, role, disabled, second_factor IS NOT NULL, version,
           created_at, password_changed_at, signed_in_at
    FROM users
"""


def hashed(password: str) -> str:
    """Dear, as is `is_right`: to be called by turns."""
    return HASHER.hash(password)


def is_right(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether it was hashed with less effort than is asked for now."""
    return HASHER.check_needs_rehash(stored)


def exist(cursor: Any) -> bool:
    """Whether there is any user, disabled ones too."""
    cursor.execute("SELECT EXISTS (SELECT FROM users)")
    return bool(cursor.fetchone()[0])


def has_admin(cursor: Any, but: int = 0) -> bool:
    """Whether an admin can sign in, not counting the user `but`."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM users WHERE role = 'admin' AND NOT disabled AND number <> %s)", (but,)
    )
    return bool(cursor.fetchone()[0])


def users(cursor: Any) -> list[User]:
    cursor.execute(f"{_USER} ORDER BY name")
    return [User(*row) for row in cursor.fetchall()]


def user(cursor: Any, number: int) -> User | None:
    cursor.execute(f"{_USER} WHERE number = %s", (number,))
    row = cursor.fetchone()
    return None if row is None else User(*row)


def user_named(cursor: Any, name: str) -> User | None:
    cursor.execute(f"{_USER} WHERE name = %s", (name,))
    row = cursor.fetchone()
    return None if row is None else User(*row)


def lock(cursor: Any) -> None:
    """Until the end of the transaction nobody else changes users: that one admin is left is a rule about
    all of them."""
    cursor.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")


def add(cursor: Any, name: str, role: str, password_hash: str, now: datetime) -> int | None:
    """The number; None when the name is taken."""
    cursor.execute(
        """
        INSERT INTO users (name, role, password, version, created_at, password_changed_at)
        VALUES (%s, %s, %s, 1, %s, %s)
        ON CONFLICT (name) DO NOTHING
        RETURNING number
        """,
        (name, role, password_hash, now, now),
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def set_role(cursor: Any, number: int, role: str) -> None:
    cursor.execute("UPDATE users SET role = %s, version = version + 1 WHERE number = %s", (role, number))


def set_disabled(cursor: Any, number: int, disabled: bool) -> None:
    cursor.execute(
        "UPDATE users SET disabled = %s, version = version + 1 WHERE number = %s", (disabled, number)
    )


def count_event(cursor: Any, number: int) -> None:
    """For an event that changes nothing in the user's row."""
    cursor.execute("UPDATE users SET version = version + 1 WHERE number = %s", (number,))


def set_password(cursor: Any, number: int, password_hash: str, now: datetime) -> None:
    cursor.execute(
        "UPDATE users SET password = %s, password_changed_at = %s, version = version + 1 WHERE number = %s",
        (password_hash, now, number),
    )


def renew_hash(cursor: Any, number: int, password_hash: str) -> None:
    """The same password, hashed as passwords are hashed now."""
    cursor.execute("UPDATE users SET password = %s WHERE number = %s", (password_hash, number))


def password_hash(cursor: Any, number: int) -> str:
    cursor.execute("SELECT password FROM users WHERE number = %s", (number,))
    return str(cursor.fetchone()[0])


def set_second_factor(cursor: Any, number: int, sealed: bytes | None, step: int) -> None:
    """`sealed` is an encrypted secret, None for none; `step` that of the last code that was used."""
    cursor.execute(
        """
        UPDATE users SET second_factor = %s, second_factor_step = %s, version = version + 1
        WHERE number = %s
        """,
        (sealed, step, number),
    )


def second_factor(cursor: Any, number: int) -> bytes | None:
    cursor.execute("SELECT second_factor FROM users WHERE number = %s", (number,))
    row = cursor.fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


def use_step(cursor: Any, number: int, step: int) -> bool:
    """Whether no code of this step or a later one was used before; from now on it was."""
    cursor.execute(
        "UPDATE users SET second_factor_step = %s WHERE number = %s AND second_factor_step < %s",
        (step, number, step),
    )
    return bool(cursor.rowcount == 1)


def signed_in(cursor: Any, number: int, now: datetime) -> None:
    cursor.execute("UPDATE users SET signed_in_at = %s WHERE number = %s", (now, number))
