"""Until when unsubscribe links in listmonk's form are good, and in which messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def are_good(cursor: Any, sent_at: datetime, now: datetime) -> bool:
    """Those in a message that was sent at `sent_at`."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM links_by_uuid WHERE %s < sent_before AND %s < valid_until)",
        (sent_at, now),
    )
    return bool(cursor.fetchone()[0])
