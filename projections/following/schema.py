"""The tables of the projections, and how far each of them has come in the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from projections.all import PROJECTIONS
from projections.following.projection import Projection
from storage.postgres.pool import Pool

LIVE = "projection"
BESIDE = "projection_beside"
"""Where a rebuild or a check folds the log again, next to the tables in use."""

_ADVISORY_LOCK = 0x70726F6A656374  # "project"

POSITIONS = """
    CREATE TABLE IF NOT EXISTS projection_positions (
        projection text    PRIMARY KEY,
        version    integer NOT NULL,
        position   bigint  NOT NULL
    )
"""


def create(pool: Pool) -> list[str]:
    """Creates what is missing and returns the names of the projections that were. Safe to repeat."""
    with pool.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
        _create_schemas(cursor)
        known = positions(cursor) if _is_there(cursor) else {}
        missing = [projection for projection in PROJECTIONS if projection.name not in known]
        if missing:
            create_tables(cursor, missing, LIVE)
            for projection in missing:
                create_indexes(cursor, projection)
    return [projection.name for projection in missing]


def create_tables(cursor: Any, projections: Iterable[Projection], schema: str) -> None:
    """In `schema`, which becomes the search_path of the transaction. Without indexes but the keys."""
    cursor.execute("SELECT set_config('search_path', %s, true)", (f"{schema}, pg_temp",))
    cursor.execute(POSITIONS)
    for projection in projections:
        for ddl in projection.tables.values():
            cursor.execute(ddl)
        cursor.execute(
            "INSERT INTO projection_positions VALUES (%s, %s, 0)", (projection.name, projection.version)
        )


def create_indexes(cursor: Any, projection: Projection) -> None:
    for ddl in projection.indexes:
        cursor.execute(ddl)


def positions(cursor: Any) -> dict[str, int]:
    """Which events each projection shows: all up to this position."""
    cursor.execute("SELECT projection, position FROM projection_positions")
    return dict(cursor.fetchall())


def log_head(cursor: Any) -> int:
    """The position of the last event."""
    cursor.execute("SELECT position FROM log_head")
    return int(cursor.fetchone()[0])


def outdated(cursor: Any) -> list[str]:
    """Projections whose tables were folded by other rules than this program's: to be rebuilt."""
    cursor.execute("SELECT projection, version FROM projection_positions")
    versions = {projection.name: projection.version for projection in PROJECTIONS}
    return [name for name, version in cursor.fetchall() if versions.get(name, version) != version]


def _is_there(cursor: Any) -> bool:
    cursor.execute("SELECT to_regclass('projection.projection_positions') IS NOT NULL")
    return bool(cursor.fetchone()[0])


def _create_schemas(cursor: Any) -> None:
    """Those that the migrations have not made."""
    for schema in (LIVE, BESIDE):
        cursor.execute("SELECT to_regnamespace(%s) IS NULL", (schema,))
        if cursor.fetchone()[0]:
            cursor.execute(f"CREATE SCHEMA {schema}")
