"""Servers in trouble rest, and the others take over."""

from __future__ import annotations

import socket
from datetime import datetime

import pytest

from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from tests.sending.servers.trouble import attempts_counted, send_everything, told
from tests.sending.world import World, wait_until

OF_THE_SERVER = {
    "it shuts down": SinkRule("mail", reply="421 4.3.2 shutting down"),
    "too many messages": SinkRule("rcpt", reply="450 4.7.0 too many messages, slow down"),
    "its sign-in is out of order": SinkRule("mail", reply="454 4.7.0 temporary authentication failure"),
    "it does not let us in": SinkRule("auth", reply="535 5.7.8 wrong user name or password"),
    "it does not want to talk": SinkRule("greeting", reply="554 no SMTP here"),
    "it is too busy to talk": SinkRule("greeting", reply="421 too busy"),
    "it hangs up at once": SinkRule("greeting", drop=True),
}


@pytest.mark.parametrize("trouble", OF_THE_SERVER.values(), ids=OF_THE_SERVER)
def test_a_server_in_trouble_rests_and_the_others_take_over(world: World, trouble: SinkRule) -> None:
    users = {"me": ""} if trouble.step == "auth" else None
    with Sink(rules=(trouble,), users=users) as first, Sink() as second:
        login = {"username": "me"} if users else {}
        alpha = world.add_server("alpha", first, daily_limit=1000, **login)
        world.add_server("beta", second, daily_limit=100)
        world.add_people(20)
        send_everything(world)
        assert not first.messages
        assert len(second.messages) == 20
        assert not second.duplicates()
    (suspended,) = told(world.pool, "server.suspended")
    assert suspended.state["by"].startswith("processor:")
    assert world.application.server(alpha).suspension is not None
    assert attempts_counted(world) == [1] * 20
    assert {event.state["about"] for event in told(world.pool, "delivery.deferred")} <= {"server"}


def test_a_server_that_nobody_answers_at_rests(world: World) -> None:
    with socket.socket() as closed, Sink() as second:
        closed.bind(("127.0.0.1", 0))
        alpha = world.add_server("alpha", closed.getsockname()[1], daily_limit=1000)
        world.add_server("beta", second, daily_limit=100)
        world.add_people(5)
        send_everything(world)
        assert len(second.messages) == 5
    suspension = world.application.server(alpha).suspension
    assert suspension is not None
    assert "refused" in suspension.reason


def test_a_server_that_does_not_greet_in_time_rests(world: World) -> None:
    with Sink(rules=(SinkRule("greeting", delay=3600),)) as first, Sink() as second:
        alpha = world.add_server("alpha", first, daily_limit=1000, wait_timeout=1)
        world.add_server("beta", second, daily_limit=100)
        world.add_people(5)
        send_everything(world)
        assert len(second.messages) == 5
    suspension = world.application.server(alpha).suspension
    assert suspension is not None
    assert suspension.reason == "no greeting in time"


def test_rests_grow_and_a_server_comes_back_by_itself(world: World) -> None:
    with Sink(rules=(SinkRule("mail", reply="421 4.3.2 busy", times=2),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(first_suspension=2, poll_interval=600)
        world.add_people(5)
        send_everything(world)
        assert len(sink.messages) == 5
    suspensions = [
        datetime.fromisoformat(event.state["until"])
        - datetime.fromisoformat(event.state["timestamp"]["_data_"])
        for event in told(world.pool, "server.suspended")
    ]
    assert len(suspensions) == 2
    assert suspensions[0] < suspensions[1]
    assert attempts_counted(world) == [1] * 5


def test_somebody_can_end_the_rest_of_a_server(world: World) -> None:
    with Sink(rules=(SinkRule("mail", reply="421 4.3.2 busy", times=1),)) as sink:
        alpha = world.add_server("alpha", sink, max_conns=1)
        world.change_policy(first_suspension=3600)
        world.add_people(5)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: world.application.server(alpha).suspension)
            wait_until(lambda: world.counts() == {"queued": 5})
            world.application.resume_server(alpha, by="test")
            world.wait_for(campaign)
        assert len(sink.messages) == 5


def test_a_server_that_takes_few_connections_is_used_with_those(world: World) -> None:
    with Sink(most_connections=3, latency=0.005) as sink:
        world.add_server("alpha", sink, max_conns=20)
        world.add_people(200)
        send_everything(world)
        assert len(sink.messages) == 200
        assert len({received.connection for received in sink.messages}) == 3
        assert sink.connections < 30
    assert not told(world.pool, "server.suspended")
    assert not told(world.pool, "delivery.deferred")


def test_a_server_that_takes_a_single_connection_is_used_with_that(world: World) -> None:
    with Sink(most_connections=1) as sink:
        world.add_server("alpha", sink, max_conns=20)
        world.add_people(20)
        send_everything(world)
        assert len(sink.messages) == 20
    assert not told(world.pool, "server.suspended")
