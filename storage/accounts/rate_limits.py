"""Token buckets in PostgreSQL, so that every process counts together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any


@dataclass(frozen=True)
class Rate:
    """Up to `burst` at once, and `per_second` more in the long run."""

    burst: float
    per_second: float


def take(cursor: Any, name: str, rate: Rate, now: datetime) -> float:
    """Takes one token of the bucket `name`; 0.0 when there was one, else the seconds until there is.
    Only a hash of the name is kept."""
    cursor.execute(
        """
        INSERT INTO rate_limits AS kept (bucket, tokens, taken, filled_at)
        VALUES (%(bucket)s, %(burst)s - 1, true, %(now)s)
        ON CONFLICT (bucket) DO UPDATE SET (tokens, taken, filled_at) = (
            SELECT level - (level >= 1)::integer, level >= 1, greatest(kept.filled_at, %(now)s)
            FROM least(
                %(burst)s,
                kept.tokens
                    + greatest(0, extract(epoch FROM %(now)s - kept.filled_at)) * %(per_second)s
            ) AS level
        )
        RETURNING tokens, taken
        """,
        {
            "bucket": _key(name),
            "burst": rate.burst,
            "per_second": rate.per_second,
            "now": now,
        },
    )
    tokens, taken = cursor.fetchone()
    return 0.0 if taken else (1 - float(tokens)) / rate.per_second


def is_empty(cursor: Any, name: str, rate: Rate, now: datetime) -> bool:
    """Whether there is no token in the bucket `name`; takes none."""
    cursor.execute(
        """
        SELECT tokens + greatest(0, extract(epoch FROM %s - filled_at)) * %s < 1
        FROM rate_limits WHERE bucket = %s
        """,
        (now, rate.per_second, _key(name)),
    )
    row = cursor.fetchone()
    return row is not None and bool(row[0])


def fill(cursor: Any, name: str) -> None:
    cursor.execute("DELETE FROM rate_limits WHERE bucket = %s", (_key(name),))


def forget(cursor: Any, now: datetime) -> None:
    """Buckets that nobody took from for a day are full again, whatever their rate."""
    cursor.execute("DELETE FROM rate_limits WHERE filled_at < %s", (now - timedelta(days=1),))


def _key(name: str) -> bytes:
    return sha256(name.encode()).digest()
