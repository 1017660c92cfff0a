"""The SMTP servers as they are now."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.server.availability import Suspension
from projections.following.batch import DecodedEvent, EventBatch
from projections.following.projection import Projection

TABLE = """
    CREATE TABLE servers (
        server           integer     PRIMARY KEY,
        name             text        NOT NULL,
        enabled          boolean     NOT NULL,
        settings         jsonb       NOT NULL,
        suspended        boolean     NOT NULL DEFAULT false,
        suspended_reason text,
        suspended_until  timestamptz,
        added_at         timestamptz NOT NULL,
        changed_at       timestamptz NOT NULL,
        changed_by       text        NOT NULL
    )
"""

ADDED = """
    INSERT INTO servers (server, name, enabled, settings, added_at, changed_at, changed_by)
    VALUES (%(server)s, %(settings)s::jsonb->>'name', (%(settings)s::jsonb->>'enabled')::boolean,
            %(settings)s, %(at)s, %(at)s, %(by)s)
"""

CHANGED = """
    UPDATE servers
    SET settings = settings || %(settings)s,
        name = coalesce(%(settings)s::jsonb->>'name', name),
        enabled = coalesce((%(settings)s::jsonb->>'enabled')::boolean, enabled),
        changed_at = %(at)s, changed_by = %(by)s
    WHERE server = %(server)s
"""

SUSPENDED = """
    UPDATE servers
    SET suspended = %(suspended)s, suspended_reason = %(reason)s, suspended_until = %(until)s,
        changed_at = %(at)s, changed_by = %(by)s
    WHERE server = %(server)s
"""

TOPICS = frozenset(
    {
        "server.added",
        "server.changed",
        "server.enabled",
        "server.disabled",
        "server.suspended",
        "server.resumed",
        "server.password_changed",
    }
)

SERVERS = """
    SELECT server, name, enabled, settings, suspended, suspended_reason, suspended_until, added_at,
           changed_at, changed_by
    FROM servers
"""


def fold(cursor: Any, batch: EventBatch) -> None:
    for event in batch.events(cursor, TOPICS):
        _apply(cursor, event)


def _apply(cursor: Any, event: DecodedEvent) -> None:
    state = event.state
    about = {"server": event.number, "at": event.at, "by": state["by"]}
    if event.topic == "server.added":
        cursor.execute(ADDED, {**about, "settings": json.dumps({"enabled": True, **state["settings"]})})
    elif event.topic == "server.changed":
        cursor.execute(CHANGED, {**about, "settings": json.dumps(state["changes"])})
    elif event.topic == "server.password_changed":
        cursor.execute(CHANGED, {**about, "settings": "{}"})
    elif event.topic in ("server.enabled", "server.disabled"):
        settings = {"enabled": event.topic == "server.enabled"}
        cursor.execute(CHANGED, {**about, "settings": json.dumps(settings)})
    else:
        reason, until = state.get("reason"), state.get("until")
        is_suspended = event.topic == "server.suspended"
        cursor.execute(SUSPENDED, {**about, "suspended": is_suspended, "reason": reason, "until": until})


PROJECTION = Projection(name="servers", tables={"servers": TABLE}, topics=TOPICS, fold=fold)


@dataclass(frozen=True)
class Server:
    """`settings` has the fields of SMTP settings by name, without the password. A suspension without
    `suspended_until` lasts until somebody resumes the server."""

    server: int
    name: str
    enabled: bool
    settings: dict[str, Any]
    suspended: bool
    suspended_reason: str | None
    suspended_until: datetime | None
    added_at: datetime
    changed_at: datetime
    changed_by: str

    @property
    def suspension(self) -> Suspension | None:
        return Suspension(self.suspended_reason or "", self.suspended_until) if self.suspended else None


def servers(cursor: Any) -> list[Server]:
    """By name."""
    cursor.execute(SERVERS + "ORDER BY name, server")
    return _servers(cursor.fetchall())


def server_named(cursor: Any, name: str) -> Server | None:
    cursor.execute(SERVERS + "WHERE name = %s", (name,))
    return next(iter(_servers(cursor.fetchall())), None)


def numbers(cursor: Any) -> list[int]:
    cursor.execute("SELECT server FROM servers ORDER BY server")
    return [number for (number,) in cursor.fetchall()]


def _servers(rows: Iterable[tuple[Any, ...]]) -> list[Server]:
    return [Server(*row) for row in rows]
