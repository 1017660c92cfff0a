"""The channel on which the directory says who may have stopped being mailable, or has another address now.

Processors that have read people from the directory listen to it, and read them again before they mail them.
It speaks at the commit of the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CHANNEL = "postledger_directory"
EVERYBODY = "*"


def announce(cursor: Any, numbers: Sequence[int]) -> None:
    """About these people; more than one count as everybody. Also about whoever is new and must not be mailed:
    a message may be on its way to the address, which nobody had so far."""
    if numbers:
        _notify(cursor, str(numbers[0]) if len(numbers) == 1 else EVERYBODY)


def announce_everybody(cursor: Any) -> None:
    _notify(cursor, EVERYBODY)


def recipient_of(payload: str) -> int | None:
    """Whom a notification is about, None for everybody."""
    return int(payload) if payload.isdigit() else None


def _notify(cursor: Any, payload: str) -> None:
    cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
