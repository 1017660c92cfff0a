"""`postledger serve`: database, pages and processor, kept running together and ended together."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postledger.config import load
from postledger.serving.serve import environment
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from processor.processor import DRAIN_SECONDS
from tests.installation import Running, processes_of, wait_until
from tests.sending.world import World

pytestmark = pytest.mark.starts_processes


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path, "serve") as running:
        running.wait_until_ready()
        yield running


@contextmanager
def world_of(served: Running) -> Iterator[World]:
    world = World((served.folder / "var" / "postgresql" / "url").read_text().strip())
    yield world
    world.close()


def test_the_parts_are_given_every_setting_wherever_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "settings.toml"
    file.parent.mkdir()
    file.write_text(
        'public_url = "https://post.example.com"\ntrusted_proxies = 1\nlog_format = "json"\n'
        'oidc_issuer = "https://id.example.com"\noidc_client_id = "postledger"\n'
        'oidc_client_secret_file = "secret"\noidc_label = "Sign in with Ours"\n'
    )
    given = load({"config": str(file), "port": 8099}, {}, tmp_path)
    taken = load({}, environment(given, "postgresql://db.example.com/post"), tmp_path / "another")
    assert taken.database_url == "postgresql://db.example.com/post"
    assert {**vars(taken), "sources": None, "database_url": None} == {
        **vars(given), "sources": None, "database_url": None,
    }  # fmt: skip


def send(served: Running, list_name: str) -> int:
    """How many arrived of a campaign to ten people who were not there before."""
    with Sink() as sink, world_of(served) as world:
        world.add_server(list_name, sink)
        with world.pool.transaction() as cursor:
            cursor.execute("SELECT count(*) FROM recipients")
            (world._people,) = cursor.fetchone() or (0,)
        world.add_people(10, list_name)
        campaign = world.create_and_start(list_name)
        world.wait_for(campaign, timeout=120)
        return len(sink.messages)


def processor_of(served: Running) -> int | None:
    for number, command in processes_of(served.folder).items():
        if command.endswith("postledger processor "):
            return number
    return None


def postmaster_of(served: Running) -> int:
    return int((served.folder / "var" / "postgresql" / "data" / "postmaster.pid").read_text().split()[0])


def kill_database(served: Running) -> None:
    killed, told = postmaster_of(served), "the database server runs again"
    before = "".join(served.said).count(told)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: "".join(served.said).count(told) > before)
    assert postmaster_of(served) != killed


def test_it_sends_and_leaves_nothing_when_it_is_asked_to_end(served: Running) -> None:
    assert send(served, "first") == 10
    assert served.answers("/healthz")
    assert served.end(signal.SIGTERM) == 0, "".join(served.said)
    assert processes_of(served.folder) == {}


def test_a_part_that_dies_is_started_again(served: Running) -> None:
    killed = wait_until(lambda: processor_of(served))
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: processor_of(served) not in (None, killed))
    assert send(served, "first") == 10


def test_a_database_that_dies_is_started_again(served: Running) -> None:
    kill_database(served)
    assert send(served, "first") == 10


def test_a_database_that_dies_over_and_over_is_started_again_each_time(served: Running) -> None:
    kill_database(served)
    kill_database(served)
    assert send(served, "first") == 10


def test_a_database_that_does_not_start_is_tried_again_until_it_does(served: Running) -> None:
    url = served.folder / "var" / "postgresql" / "url"
    aside = url.with_name("aside")
    url.rename(aside)
    os.kill(postmaster_of(served), signal.SIGKILL)
    wait_until(lambda: "does not start" in "".join(served.said))
    assert served.process.poll() is None
    aside.rename(url)
    wait_until(lambda: "runs again" in "".join(served.said))
    assert send(served, "first") == 10


def test_nothing_outlives_one_that_is_killed_for_long_although_e_mails_are_on_their_way(
    served: Running,
) -> None:
    with Sink(rules=(SinkRule("dot", delay=3600.0),)) as silent, Sink(latency=0.01) as sink:
        with world_of(served) as world:
            world.add_server("silent", silent, max_conns=2)
            world.add_server("quick", sink)
            world.add_people(500)
            world.create_and_start()
            wait_until(lambda: len(sink.messages) > 20 and len(silent.attempts) == 2)
        killed_at = time.monotonic()
        served.process.kill()
        wait_until(lambda: not processes_of(served.folder))
        assert time.monotonic() - killed_at < DRAIN_SECONDS, "the e-mails on their way were waited for"
