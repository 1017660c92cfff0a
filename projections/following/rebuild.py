"""Throws projections away and folds the log again, beside the tables in use, which are swapped at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

from psycopg2 import errors
from psycopg2.sql import SQL, Identifier

from projections.all import PROJECTIONS
from projections.following import schema
from projections.following.projection import Projection
from projections.following.runner import ADVISORY_LOCK, fold_next
from projections.following.schema import log_head
from storage.postgres.pool import Pool

log = logging.getLogger(__name__)

CLOSE = 10_000
"""Events from the end at which the rest is folded together with the swap or the comparison."""

ATTEMPTS = 10
_REBUILD_LOCK = 0x72656275696C64  # "rebuild"

Progress = Callable[[int, int], None]


class RebuildUnderWay(Exception):
    """Projections are being rebuilt or checked already: wait until that is done."""


def rebuild(pool: Pool, names: Sequence[str] | None = None, progress: Progress | None = None) -> int:
    """Rebuilds these projections, or all, while they stay in use; the position they show in the end.

    `progress` is told the position and the head after each batch. Raises ValueError for a name that no
    projection has, RebuildUnderWay.
    """
    projections = named(names)
    with beside(pool, projections) as connection, connection.cursor() as cursor:
        fold_most(pool, projections, log_head, progress)
        for projection in projections:
            schema.create_indexes(cursor, projection)
        connection.commit()
        return _swap(connection, projections)


def named(names: Sequence[str] | None) -> list[Projection]:
    """Raises ValueError for a name that no projection has."""
    if names is None:
        return list(PROJECTIONS)
    if unknown := sorted(set(names) - {projection.name for projection in PROJECTIONS}):
        known = ", ".join(projection.name for projection in PROJECTIONS)
        raise ValueError(f"no projection is called {', '.join(unknown)}: there are {known}")
    return [projection for projection in PROJECTIONS if projection.name in names]


@contextmanager
def beside(pool: Pool, projections: Sequence[Projection]) -> Iterator[Any]:
    """A connection whose unqualified names are those of the schema beside, with fresh tables. For one at
    a time; nothing is left there in the end."""
    schema.create(pool)
    connection = _open_beside(pool)
    try:
        with connection.cursor() as cursor:
            _claim(cursor)
            _empty(cursor)
            schema.create_tables(cursor, projections, schema.BESIDE)
        connection.commit()
        yield connection
        connection.rollback()
        with connection.cursor() as cursor:
            _empty(cursor)
            # The lock would end with the connection, but only a moment later than `close` returns.
            cursor.execute("SELECT pg_advisory_unlock(%s)", (_REBUILD_LOCK,))
        connection.commit()
    finally:
        connection.close()


def _open_beside(pool: Pool) -> Any:
    connection = pool.open()
    with connection.cursor() as cursor:
        cursor.execute("SET temp_buffers = '256MB'; SET maintenance_work_mem = '256MB'")
        cursor.execute("SELECT set_config('search_path', %s, false)", (f"public, {schema.BESIDE}, pg_temp",))
    connection.commit()
    return connection


def _claim(cursor: Any) -> None:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (_REBUILD_LOCK,))
    if not cursor.fetchone()[0]:
        raise RebuildUnderWay("projections are being rebuilt or checked already")


def fold_most(
    pool: Pool,
    projections: Sequence[Projection],
    end: Callable[[Any], int],
    progress: Progress | None = None,
) -> None:
    """Up to within CLOSE of the position that `end` reads and never further, wherever it moves on to. The
    queue is more work than all the others together: two connections share the work."""
    queue = [projection for projection in projections if projection.name == "queue"]
    others = [projection for projection in projections if projection.name != "queue"]
    groups = [group for group in (queue, others) if group]
    with ThreadPoolExecutor(len(groups), thread_name_prefix="rebuild") as threads:
        folding = [threads.submit(_fold_group, pool, groups[0], end, progress)]
        folding += [threads.submit(_fold_group, pool, group, end, None) for group in groups[1:]]
        for group in folding:
            group.result()


def _fold_group(
    pool: Pool, group: Sequence[Projection], end: Callable[[Any], int], progress: Progress | None
) -> None:
    with closing(_open_beside(pool)) as connection, connection.cursor() as cursor:
        while True:
            upto = end(cursor)
            position = schema.positions(cursor)[group[0].name]
            if progress:
                progress(position, upto)
            if upto - position <= CLOSE:
                break
            fold_next(cursor, group, upto)
            connection.commit()


def _swap(connection: Any, projections: Sequence[Projection]) -> int:
    """Whoever reads the tables at that moment waits a little; when it is the swap that would wait too
    long for the readers, it gives way and tries again."""
    for attempt in range(ATTEMPTS):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '3s'")
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
                head = log_head(cursor)
                while fold_next(cursor, projections, head):
                    pass
                for projection in projections:
                    _exchange(cursor, projection, head)
            connection.commit()
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            connection.rollback()
            if attempt == ATTEMPTS - 1:
                raise
            log.info("the rebuilt projections wait for readers of the old ones")
        else:
            return head
    raise AssertionError("unreachable")


def _exchange(cursor: Any, projection: Projection, position: int) -> None:
    for table in projection.tables:
        live, rebuilt = Identifier(schema.LIVE, table), Identifier(schema.BESIDE, table)
        cursor.execute(SQL("DROP TABLE IF EXISTS {}").format(live))
        cursor.execute(SQL("ALTER TABLE {} SET SCHEMA {}").format(rebuilt, Identifier(schema.LIVE)))
    cursor.execute(
        "UPDATE projection.projection_positions SET position = %s, version = %s WHERE projection = %s",
        (position, projection.version, projection.name),
    )


def _empty(cursor: Any) -> None:
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'",
        (schema.BESIDE,),
    )
    for (table,) in cursor.fetchall():
        cursor.execute(SQL("DROP TABLE {}").format(Identifier(schema.BESIDE, table)))
