"""One processor's reservations, and what is in the log of them."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from application.reservation import Reservation
from application.reservations import Reservations
from domain.calendar import Calendar
from domain.capacity.capacity import Limits
from domain.streams import capacity_stream
from storage.log.committer import Committer
from storage.postgres.pool import Pool

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


BERLIN = Calendar.of("Europe/Berlin")


UTC_DAYS = Calendar.of("UTC")


SERVER = 1

WRITTEN = """
    SELECT topic, (convert_from(state, 'UTF8')::jsonb->>'reservation')::integer,
           (convert_from(state, 'UTF8')::jsonb->>'n')::integer,
           coalesce((convert_from(state, 'UTF8')::jsonb->>'unused')::integer, 0),
           coalesce((convert_from(state, 'UTF8')::jsonb->>'refused')::integer, 0)
    FROM events WHERE stream_id = %s ORDER BY version
"""


class Desk:
    """One processor's reservations, with the round of looking, settling and reserving made short."""

    def __init__(self, pool: Pool, name: str, committer: Committer | None = None) -> None:
        self.committer = committer or Committer(pool)
        self.reservations = Reservations(pool, self.committer, name)
        self._limits: dict[int, Limits] = {}

    def look(
        self, limits: Limits, now: datetime = NOON, server: int = SERVER, calendar: Calendar = UTC_DAYS
    ) -> int | None:
        """What is available after a look at the log."""
        self._limits[server] = limits
        day = calendar.local_date(now).isoformat()
        self.reservations.refresh({server: limits}, day, now.timestamp())
        return self.reservations.available(server, limits, day, now.timestamp())

    def reserve(
        self, units: int, limits: Limits, now: datetime = NOON, server: int = SERVER,
        calendar: Calendar = UTC_DAYS,
    ) -> None:  # fmt: skip
        self.reservations.reserve({server: units}, {server: limits}, calendar, now)

    def take(self, now: datetime = NOON, server: int = SERVER) -> Reservation:
        taken = self.take_one(now, server)
        assert taken is not None
        return taken

    def take_one(self, now: datetime = NOON, server: int = SERVER) -> Reservation | None:
        """By the limits that it looked with last."""
        return self.reservations.take(server, self._limits[server], now.timestamp())

    def take_all(self, now: datetime = NOON, server: int = SERVER) -> list[Reservation]:
        return list(iter(lambda: self.take_one(now, server), None))

    def use(self, units: int, now: datetime = NOON, *, refused: bool = False) -> None:
        """Attempts that begin and end at once."""
        for _ in range(units):
            self.reservations.ended(self.take(now), refused=refused)

    def settle(self, limits: Limits, now: datetime, server: int = SERVER) -> None:
        self.reservations.settle({server: limits}, now.timestamp())


def opened(stack: ExitStack, pool: Pool, name: str, committer: Committer | None = None) -> Desk:
    desk = Desk(pool, name, committer)
    stack.callback(desk.committer.close)
    return desk


def written(pool: Pool, server: int = SERVER) -> list[tuple[str, int | None, int | None, int, int]]:
    with pool.transaction() as cursor:
        cursor.execute(WRITTEN, (str(capacity_stream(server)),))
        return cursor.fetchall()


def returns(pool: Pool, server: int = SERVER) -> list[tuple[int | None, int, int]]:
    """(reservation, unused, refused) of each."""
    return [(row[1], row[3], row[4]) for row in written(pool, server) if row[0] == "capacity.returned"]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)
