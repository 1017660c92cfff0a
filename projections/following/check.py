"""Proves that the projections in use are what the log says: folds it again beside and compares the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.sql import SQL, Identifier

from projections.following import schema
from projections.following.projection import Projection
from projections.following.rebuild import Progress, beside, fold_most, named
from projections.following.runner import fold_next
from storage.postgres.pool import Pool

SAMPLES = 5

SURPLUS = """
    WITH surplus AS MATERIALIZED (SELECT * FROM {} EXCEPT ALL SELECT * FROM {})
    SELECT (SELECT count(*) FROM surplus),
           (SELECT jsonb_agg(to_jsonb(s)) FROM (SELECT * FROM surplus LIMIT %s) AS s)
"""


@dataclass(frozen=True)
class Difference:
    """Rows of one table that only the projection in use has, and that only the log gives. A row that
    differs counts on both sides. `examples` are some of them as JSON, marked `live` or `rebuilt`."""

    projection: str
    table: str
    only_live: int
    only_rebuilt: int
    examples: list[tuple[str, dict[str, Any]]]


def check(
    pool: Pool, names: Sequence[str] | None = None, progress: Progress | None = None
) -> list[Difference]:
    """Empty when these projections, or all, equal what the log gives up to where they are, however far they
    lag behind it. Correct while the system runs.

    Raises ValueError for a name that no projection has, RebuildUnderWay.
    """
    projections = named(names)
    with beside(pool, projections) as connection:
        fold_most(pool, projections, lambda cursor: min(_live_positions(cursor, projections)), progress)
        # From here on everything is seen as of one moment: the live rows, their positions, the log.
        connection.set_session(isolation_level="REPEATABLE READ")
        with connection.cursor() as cursor:
            differences = _compare_all(cursor, projections)
        connection.rollback()
        connection.set_session(isolation_level="READ COMMITTED")
    return differences


def _compare_all(cursor: Any, projections: Sequence[Projection]) -> list[Difference]:
    for projection, position in zip(projections, _live_positions(cursor, projections), strict=True):
        while fold_next(cursor, [projection], position):
            pass
    differences = []
    for projection in projections:
        for table in projection.tables:
            if difference := _compare(cursor, projection.name, table):
                differences.append(difference)
    return differences


def _live_positions(cursor: Any, projections: Sequence[Projection]) -> list[int]:
    """In the order of `projections`."""
    cursor.execute("SELECT projection, position FROM projection.projection_positions")
    positions = dict(cursor.fetchall())
    return [positions[projection.name] for projection in projections]


def _compare(cursor: Any, projection: str, table: str) -> Difference | None:
    live, rebuilt = Identifier(schema.LIVE, table), Identifier(schema.BESIDE, table)
    only_live, live_rows = _surplus(cursor, live, rebuilt)
    only_rebuilt, rebuilt_rows = _surplus(cursor, rebuilt, live)
    if not only_live and not only_rebuilt:
        return None
    examples = [("live", row) for row in live_rows] + [("rebuilt", row) for row in rebuilt_rows]
    return Difference(projection, table, only_live, only_rebuilt, examples)


def _surplus(cursor: Any, table: Identifier, other: Identifier) -> tuple[int, list[dict[str, Any]]]:
    cursor.execute("SELECT set_config('work_mem', '256MB', true)")
    cursor.execute(SQL(SURPLUS).format(table, other), (SAMPLES,))
    count, rows = cursor.fetchone()
    return int(count), rows or []
