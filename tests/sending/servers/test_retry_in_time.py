"""A retry goes out when it is due, however rarely the processor looks by itself."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.sending.world import World

ATTEMPTS = "SELECT recorded_at FROM events WHERE topic = 'delivery.attempt_started' ORDER BY position"


def attempts(world: World) -> list[datetime]:
    with world.pool.transaction() as cursor:
        cursor.execute(ATTEMPTS)
        return [at for (at,) in cursor.fetchall()]


def test_a_retry_does_not_wait_for_the_next_poll(world: World) -> None:
    world.change_policy(poll_interval=3600, retry_first=1, retry_cap=1)
    busy = SinkRule("rcpt", reply="450 4.2.0 <p1@example.org>: mailbox busy", times=2)
    with Sink(rules=(busy,)) as sink:
        world.add_server("alpha", sink)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
    assert world.counts() == {"sent": 1}
    apart = [(later - earlier).total_seconds() for earlier, later in pairwise(attempts(world))]
    assert len(apart) == 2
    assert all(0.5 < seconds < 30 for seconds in apart), apart
