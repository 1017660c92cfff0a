"""Servers that close connections when nobody has asked them to."""

from __future__ import annotations

import pytest

from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from processor.dispatch.connection_pool import CONNECTIONS_AT_FIRST, MOST_BREAKS
from tests.sending.ledger import Units, events, units
from tests.sending.servers.trouble import attempts_counted, send_everything, told
from tests.sending.world import World

ROLLING = {"sliding_window": True, "sliding_window_rate": 500, "sliding_window_duration": 3600}
CLOSED = {"the server closed the connection", "connection lost: connection reset by peer"}

LEARNING = 2 * 4
"""E-mails that may meet a closed connection until it is known how many each connection takes."""

AT_ONCE, LATER = 0.0, 0.02
"""Seconds from an answer to the end of the connection: before an attempt is recorded, and after."""


SLOWLY = """
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(%s); RETURN NEW; END $$;
    CREATE TRIGGER slowly BEFORE INSERT ON events FOR EACH ROW
    WHEN (NEW.topic = 'delivery.attempt_started') EXECUTE FUNCTION slowly()
"""


def record_attempts_slowly(world: World, seconds: float) -> None:
    with world.as_owner() as cursor:
        cursor.execute(SLOWLY, (seconds,))


def units_of(world: World, server: int) -> Units:
    return units(events(world.pool)).get(server, Units(0, 0, 0, 0))


def reasons(world: World) -> set[str]:
    return {event.state["reply"] for event in told(world.pool, "delivery.deferred")}


@pytest.mark.parametrize("seconds", [AT_ONCE, LATER])
def test_a_server_that_closes_after_its_greeting_is_suspended_before_it_uses_up_its_limits(
    world: World, seconds: float
) -> None:
    with Sink(rules=(SinkRule("ehlo", closes_in=seconds),)) as first, Sink() as second:
        alpha = world.add_server("alpha", first, daily_limit=1000, **ROLLING)
        world.add_server("beta", second, daily_limit=100)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(30)
        send_everything(world)
        assert not first.attempts
        assert len(second.messages) == 30
    assert len(told(world.pool, "server.suspended")) == 1
    suspension = world.application.server(alpha).suspension
    assert suspension is not None
    assert suspension.reason in CLOSED
    used = units_of(world, alpha)
    assert used.attempts < MOST_BREAKS + CONNECTIONS_AT_FIRST
    assert used.reserved - used.unused - used.refused == 0
    assert {reason.removeprefix("not offered: ") for reason in reasons(world)} <= CLOSED


def test_what_was_not_written_to_a_server_counts_against_none_of_its_limits(world: World) -> None:
    """It closes each connection while the attempt is being recorded."""
    with Sink(rules=(SinkRule("ehlo", closes_in=LATER),)) as first, Sink() as second:
        alpha = world.add_server("alpha", first, daily_limit=1000, **ROLLING)
        world.add_server("beta", second, daily_limit=100)
        world.add_people(30)
        record_attempts_slowly(world, 3 * LATER)
        send_everything(world)
    used = units_of(world, alpha)
    assert used.attempts > 0
    assert (used.reserved - used.unused, used.refused) == (0, 0)
    assert reasons(world) == {"not offered: the server closed the connection"}


@pytest.mark.parametrize("each", [1, 7])
def test_a_server_that_takes_so_many_on_a_connection_is_sent_so_many_on_each(world: World, each: int) -> None:
    with Sink(most_messages=each) as sink:
        alpha = world.add_server("alpha", sink, max_conns=4, **ROLLING)
        world.add_people(210)
        send_everything(world)
        assert len(sink.messages) == 210
        assert not sink.duplicates()
        assert sink.connections <= 210 / each + 10
    assert not told(world.pool, "server.suspended")
    assert attempts_counted(world) == [1] * 210
    assert len(told(world.pool, "delivery.deferred")) <= LEARNING
    assert "stopped" not in " ".join(reasons(world))
    used = units_of(world, alpha)
    assert used.reserved - used.unused <= 210 + LEARNING
