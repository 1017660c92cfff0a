"""Numbers of campaigns, servers and templates: short names for streams, never given twice."""

from __future__ import annotations

from typing import Any


def next_campaign(cursor: Any) -> int:
    cursor.execute("SELECT nextval('campaign_numbers')")
    return int(cursor.fetchone()[0])


def next_server(cursor: Any) -> int:
    cursor.execute("SELECT nextval('server_numbers')")
    return int(cursor.fetchone()[0])


def next_template(cursor: Any) -> int:
    cursor.execute("SELECT nextval('template_numbers')")
    return int(cursor.fetchone()[0])
