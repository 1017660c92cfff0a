"""Of which roles a second factor is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def required(cursor: Any) -> list[str]:
    cursor.execute("SELECT role FROM required_second_factors ORDER BY role")
    return [role for (role,) in cursor.fetchall()]


def require(cursor: Any, roles: Sequence[str]) -> None:
    """Of these, and of no others."""
    cursor.execute("DELETE FROM required_second_factors WHERE role <> ALL (%s)", (list(roles),))
    cursor.execute(
        "INSERT INTO required_second_factors SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (list(roles),)
    )
