"""Processors, connections and the database die at random moments; nothing is lost, nothing sent twice."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner
from psycopg2.extensions import make_dsn

from postledger.cli import main
from postledger.session import Database, prepare
from postledger.sink.sink import Sink
from storage.postgres.embedded import EmbeddedServer
from tests.sending import ledger
from tests.sending.crashes.nursery import Nursery
from tests.sending.world import World, wait_until
from tests.smtp.scripted import Act, ScriptedServer

pytestmark = pytest.mark.starts_processes

KILLS = 20
SEED = 20
CONNECTIONS = 4
LATENCY = 0.004
LONG = "{% for _ in range(2) %}" + 490_000 * "é" + "{% endfor %}"
FULL_DISK = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full';
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON events
        FOR EACH ROW WHEN (new.topic = 'delivery.accepted') EXECUTE FUNCTION refuse()
"""
CONNECTIONS_OF = "FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"


@pytest.fixture
def sinks(world: World) -> Iterator[list[Sink]]:
    with ExitStack() as stack:
        yield [connected(stack, world, name) for name in ("alpha", "beta", "gamma")]


def connected(stack: ExitStack, world: World, name: str) -> Sink:
    sink = stack.enter_context(Sink(latency=LATENCY))
    world.add_server(name, sink, max_conns=CONNECTIONS, daily_limit=1000)
    return sink


def test_a_processor_killed_again_and_again_loses_nothing_and_doubles_nothing(
    world: World, sinks: list[Sink], tmp_path: Path
) -> None:
    people = world.add_people(900)
    campaign = world.create_and_start()
    chance = random.Random(SEED)
    with Nursery(world, tmp_path) as nursery:
        connections = dict(killed(world, nursery, sinks, chance) for _ in range(KILLS))
    with world.processor():
        world.wait_for(campaign)
    found = ledger.events(world.pool)
    unknown = ledger.unknown_of(found)
    for processor, process in processes(world).items():
        assert unknown[processor] <= connections.get(process, 0)
    left_open = ledger.ended_by_others(found)
    assert left_open.total() > KILLS, "no kill was in the middle of anything"
    assert unknown.total() == left_open["delivery.outcome_unknown"] < left_open.total()
    counts = world.counts()
    assert counts == {"sent": len(people) - unknown.total(), "unknown": unknown.total()}
    nothing_is_lost_or_doubled(found, sinks)

    world_says(world, "queue", "retry", "--campaign", str(campaign), "--status", "unknown")
    with world.processor():
        wait_until(lambda: world.counts() == {"sent": len(people)})
    arrived = Counter(message.rcpt_to[0] for sink in sinks for message in sink.messages)
    assert len(arrived) == len(people)
    assert sum(arrived.values()) <= len(people) + unknown.total()


def test_what_was_heard_and_could_not_be_recorded_is_known_after_a_kill(world: World, tmp_path: Path) -> None:
    people = world.add_people(30)
    with Sink() as sink:
        world.add_server("alpha", sink, max_conns=CONNECTIONS, idle_timeout=1)
        campaign = world.create_and_start()
        as_owner(world, FULL_DISK)
        with Nursery(world, tmp_path) as nursery:
            number = nursery.born()
            wait_until(lambda: len(sink.messages) == len(people))
            wait_until(lambda: sink.open_connections == 0)
            nursery.kill(number)
        as_owner(world, "DROP TRIGGER refuse ON events")
        with world.processor():
            world.wait_for(campaign)
    assert world.counts() == {"sent": len(people)}
    assert ledger.ended_by_others(ledger.events(world.pool)) == {"delivery.accepted": len(people)}
    nothing_is_lost_or_doubled(ledger.events(world.pool), [sink])


def test_a_kill_before_the_last_bytes_are_handed_over_leaves_nothing_unknown(
    world: World, tmp_path: Path
) -> None:
    """The server stops reading in the middle of a message that is more than the buffers hold."""
    with ScriptedServer({"body": [Act(then="be silent")]}, receive_buffer=4096) as slow:
        world.add_server("alpha", slow.port, max_conns=1, daily_limit=10)
        world.add_people(1)
        campaign = world.create_and_start(text=LONG, html=LONG)
        with Nursery(world, tmp_path) as nursery:
            number = nursery.born()
            wait_until(lambda: "DATA" in slow.commands and not slow.script["body"])
            wait_until(lambda: nursery.waits(number))
            nursery.stop(number)
            nursery.kill(number)
        with world.processor():
            world.wait_for(campaign)
        assert len(slow.bodies) == 1
    assert world.counts() == {"sent": 1}
    found = ledger.events(world.pool)
    assert ledger.ended_by_others(found) == {"delivery.deferred": 1}
    (units,) = ledger.units(found).values()
    assert units.reserved - units.unused - units.refused == 1, "the unit came back"


def killed(world: World, nursery: Nursery, sinks: list[Sink], chance: random.Random) -> tuple[int, int]:
    """Kills a processor at a random moment, told by the sinks (so in the middle of the dialogues) or by the
    log (before them, too). The process's number, and how many connections were open then."""
    if chance.random() < 0.7:
        wanted = seen_by(sinks) + chance.randint(1, 60)
        number = nursery.born()
        wait_until(lambda: seen_by(sinks) >= wanted)
    else:
        head = ledger.head(world.pool) + chance.randint(0, 20)
        number = nursery.born()
        wait_until(lambda: ledger.head(world.pool) >= head)
    nursery.stop(number)
    open_connections = sum(sink.open_connections for sink in sinks)
    nursery.kill(number)
    return number, open_connections


def processes(world: World) -> dict[str, int]:
    """By processor, as the log names them: the number of its process."""
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT 'processor:' || number, pid FROM processors")
        return dict(cursor.fetchall())


def seen_by(sinks: list[Sink]) -> int:
    return sum(len(sink.attempts) for sink in sinks)


def nothing_is_lost_or_doubled(found: list[ledger.Event], sinks: list[Sink]) -> None:
    arrived = Counter(message.rcpt_to[0] for sink in sinks for message in sink.messages)
    assert not [recipient for recipient, copies in arrived.items() if copies > 1]
    outcomes = {recipient: topic for (_, recipient), topic in ledger.deliveries(found).items()}
    sent = {f"p{n}@example.org" for n, topic in outcomes.items() if topic == "delivery.accepted"}
    unknown = {f"p{n}@example.org" for n, topic in outcomes.items() if topic == "delivery.outcome_unknown"}
    assert sent <= arrived.keys() <= sent | unknown
    assert ledger.left_open(found) == []
    assert ledger.returned_twice(found) == []


def world_says(world: World, *arguments: str) -> None:
    result = CliRunner().invoke(main, list(arguments), env=environment(world))
    assert result.exit_code == 0, result.output


def environment(world: World) -> dict[str, str]:
    return {"POSTLEDGER_DATABASE_URL": world.url, "POSTLEDGER_KEY": world.key}


def test_a_processor_survives_the_loss_of_all_its_connections_to_the_database(
    world: World, sinks: list[Sink]
) -> None:
    people = world.add_people(900)
    campaign = world.create_and_start()
    victim = make_dsn(world.url, application_name="victim")
    with world.processor(url=victim):
        for wanted in (50, 200, 400, 600):
            wait_until(lambda wanted=wanted: seen_by(sinks) >= wanted)
            wait_until(lambda: connections(world, "victim", "count(*)") > 1)
            assert connections(world, "victim", "count(pg_terminate_backend(pid))") > 0
        world.wait_for(campaign)
    assert world.counts() == {"sent": len(people)}
    nothing_is_lost_or_doubled(ledger.events(world.pool), sinks)


def test_what_the_database_does_not_take_is_told_again_until_it_does(world: World, sinks: list[Sink]) -> None:
    people = world.add_people(30)
    campaign = world.create_and_start()
    as_owner(world, FULL_DISK)
    with world.processor():
        wait_until(lambda: sum(len(sink.messages) for sink in sinks) == len(people))
        assert world.counts() == {"sending": len(people)}
        as_owner(world, "DROP TRIGGER refuse ON events")
        world.wait_for(campaign)
    assert world.counts() == {"sent": len(people)}
    nothing_is_lost_or_doubled(ledger.events(world.pool), sinks)


def as_owner(world: World, statement: str) -> None:
    with world.as_owner() as cursor:
        cursor.execute(statement)


def connections(world: World, name: str, counted: str) -> int:
    with world.as_owner() as cursor:
        cursor.execute(f"SELECT {counted} {CONNECTIONS_OF}", (name,))
        return int(cursor.fetchone()[0])


def test_a_processor_survives_the_loss_of_the_database_server(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer(tmp_path / "postgresql"))
        prepare(Database.of(server))
        world = World(server.url)
        stack.callback(world.close)
        sinks = [connected(stack, world, name) for name in ("alpha", "beta")]
        people = world.add_people(600)
        campaign = world.create_and_start()
        with world.processor():
            wait_until(lambda: seen_by(sinks) >= 150)
            crashed(server)
            server.close()
            server.start()
            assert server.url == world.owner_url
            wait_until(lambda: answers(world.url))
            world.wait_for(campaign)
        assert world.counts() == {"sent": len(people)}
        nothing_is_lost_or_doubled(ledger.events(world.pool), sinks)


def crashed(server: EmbeddedServer) -> None:
    postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    wait_until(lambda: not server.running)


def answers(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True
