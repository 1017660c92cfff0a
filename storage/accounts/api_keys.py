"""Keys of programs: `plk_<public id>_<secret>_<check>`. The secret has 256 random bits, so its SHA-256 is
all that needs to be kept; the check (CRC-32) tells a mistyped key, and a leaked one to scanners."""

from __future__ import annotations

import hmac
import secrets
import string
import zlib
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

PREFIX = "plk"
PUBLIC_LENGTH = 10
SECRET_LENGTH = 43
USED_EVERY = timedelta(minutes=1)
"""How exact `used_at` is: not every request has to write."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NOBODYS = b"\x00" * 32


class Key(NamedTuple):
    number: int
    public_id: str
    name: str
    scopes: list[str]
    version: int
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


_KEY = """
    SELECT number, public_id, name, scopes, version, created_at, created_by, expires_at, revoked_at, used_at
    FROM api_keys
"""


def create(
    cursor: Any, name: str, scopes: list[str], expires_at: datetime | None, by: str, now: datetime
) -> tuple[int, str] | None:
    """(number, key), the only time that the key can be seen; None when the name was ever given before."""
    public_id, secret = _random(PUBLIC_LENGTH), _random(SECRET_LENGTH)
    cursor.execute(
        """
        INSERT INTO api_keys (public_id, secret, name, scopes, version, created_at, created_by, expires_at)
        VALUES (%s, %s, %s, %s, 1, %s, %s, %s)
        ON CONFLICT (name) DO NOTHING
        RETURNING number
        """,
        (public_id, sha256(secret.encode()).digest(), name, scopes, now, by, expires_at),
    )
    row = cursor.fetchone()
    return None if row is None else (int(row[0]), written(public_id, secret))


def found(cursor: Any, text: str, now: datetime) -> Key | None:
    """The key that `text` is, if it may be used now."""
    parts = read(text)
    if parts is None:
        return None
    public_id, secret = parts
    cursor.execute("SELECT secret FROM api_keys WHERE public_id = %s", (public_id,))
    row = cursor.fetchone()
    kept = _NOBODYS if row is None else bytes(row[0])
    if not hmac.compare_digest(kept, sha256(secret.encode()).digest()):
        return None
    cursor.execute(
        f"{_KEY} WHERE public_id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)",
        (public_id, now),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    key = Key(*row)
    if key.used_at is None or key.used_at <= now - USED_EVERY:
        cursor.execute("UPDATE api_keys SET used_at = %s WHERE number = %s", (now, key.number))
    return key


def keys(cursor: Any) -> list[Key]:
    """Newest first, those that are over too."""
    cursor.execute(f"{_KEY} ORDER BY number DESC")
    return [Key(*row) for row in cursor.fetchall()]


def key_named(cursor: Any, name: str) -> Key | None:
    cursor.execute(f"{_KEY} WHERE name = %s", (name,))
    row = cursor.fetchone()
    return None if row is None else Key(*row)


def revoke(cursor: Any, number: int, now: datetime) -> Key | None:
    """The key as it was; None when there is none, or it was revoked before."""
    cursor.execute(f"{_KEY} WHERE number = %s AND revoked_at IS NULL FOR UPDATE", (number,))
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute(
        "UPDATE api_keys SET revoked_at = %s, version = version + 1 WHERE number = %s", (now, number)
    )
    return Key(*row)


def written(public_id: str, secret: str) -> str:
    body = f"{PREFIX}_{public_id}_{secret}"
    return f"{body}_{_check(body)}"


def read(text: str) -> tuple[str, str] | None:
    """(public id, secret); None for what was never a key."""
    body, _, check = text.rpartition("_")
    parts = body.split("_")
    well_formed = len(parts) == 3 and parts[0] == PREFIX and len(text) < 100 and text.isascii()
    if not well_formed or check != _check(body):
        return None
    return parts[1], parts[2]


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    while len(digits) < 6:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
