"""A campaign into trouble, and what is on record of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from storage.postgres.pool import Pool
from tests.sending.ledger import Event, events
from tests.sending.world import World

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def told(pool: Pool, topic: str) -> list[Event]:
    return [event for event in events(pool) if event.topic == topic]


def attempts_counted(world: World) -> list[int]:
    """By delivery, without those that told something of a server only."""
    world.runner.catch_up()
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT attempts FROM queue ORDER BY recipient")
        return [attempts for (attempts,) in cursor.fetchall()]


def add_person(world: World, email: str, **attributes: Any) -> int:
    return world.directory.people.add(
        email, "Somebody", attributes,
        onto=[world.directory.list("Everybody")], subscription="confirmed", by="test",
    )  # fmt: skip


def send_everything(world: World, **options: Any) -> int:
    campaign = world.create_and_start(**options)
    with world.sending():
        world.wait_for(campaign)
    return campaign
