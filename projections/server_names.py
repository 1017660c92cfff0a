"""Names of servers, each given once: the log cannot see to that, since each server is a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from domain.errors import Refused
from projections.servers import server_named
from storage.postgres.pool import Pool

_LOCK = 0x736572766572  # "server"


@contextmanager
def name_reserved(
    pool: Pool, catch_up: Callable[[], object], name: object, number: int | None = None
) -> Iterator[None]:
    """Until the end of the block no other process can give the name to a server. `catch_up` brings the
    projections up to the log; what is no name is left to the settings' own checks. Raises Refused when a
    server but `number` has it."""
    if not isinstance(name, str) or not name.strip():
        yield
        return
    with pool.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        catch_up()
        taken = server_named(cursor, name.strip())
        if taken is not None and taken.server != number:
            raise Refused(f"name: there is a server named {name.strip()} already", "name")
        yield
