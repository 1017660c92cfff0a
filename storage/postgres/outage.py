"""What it looks like when the database cannot be reached for a while."""

from __future__ import annotations

import psycopg2
from eventsourcing.persistence import InterfaceError, OperationalError

from storage.postgres.pool import PoolTimeout

OUTAGE: tuple[type[Exception], ...] = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    OperationalError,
    InterfaceError,
    PoolTimeout,
)
"""What a broken connection, or none to be had, raises: from psycopg2, from the pool, and from the library's
recorders. Whoever meets one of these tries again later."""
