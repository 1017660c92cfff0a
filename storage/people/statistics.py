"""What the planner knows of the directory: samples, which quote some of its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.postgres.pool import allow

MOST_SECONDS = 120.0

QUOTED = """
    SELECT EXISTS (
        SELECT FROM pg_stats s CROSS JOIN recipients r
        WHERE s.schemaname = 'public' AND r.number = ANY (%s) AND r.email IS NOT NULL
          AND (s.tablename LIKE 'recipients%%' OR s.tablename LIKE 'transactional%%')
          AND position(lower(r.email) IN lower(concat(s.histogram_bounds, s.most_common_vals))) > 0)
"""


def quote(cursor: Any, numbers: Sequence[int]) -> bool:
    """Whether they quote the address of one of these people."""
    cursor.execute(QUOTED, (list(numbers),))
    return bool(cursor.fetchone()[0])


def refresh(cursor: Any) -> None:
    """After a large import, since the planner would take the directory for a small one for a minute; after
    who is quoted was erased."""
    allow(cursor, MOST_SECONDS)
    cursor.execute("SELECT public.refresh_directory_statistics()")
