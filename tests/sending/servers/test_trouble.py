"""Servers, networks, recipients and messages that make trouble: what becomes of the e-mails."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from application.queue.queue import Queue
from postledger.sink.sink import Sink
from postledger.sink.sink_rules import SinkRule
from storage.postgres.pool import Pool
from tests.sending.ledger import Event, events
from tests.sending.world import MovingClock, World, wait_until
from tests.smtp.scripted import Act, ScriptedServer

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

WAITED_FOR = """
    SELECT ended.recorded_at - began.recorded_at
    FROM events began JOIN events ended ON ended.stream_id = began.stream_id AND ended.version = 2
    WHERE began.version = 1 AND began.topic = 'delivery.attempt_started'
"""


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


# The recipient


def test_who_cannot_be_reached_for_a_while_is_tried_through_another_server(world: World) -> None:
    busy = SinkRule("rcpt", reply="450 4.2.0 <p1@example.org>: mailbox busy", recipient="p1@")
    with Sink(rules=(busy,)) as first, Sink() as second:
        alpha, beta = (
            world.add_server("alpha", first, daily_limit=100),
            world.add_server("beta", second, daily_limit=10),
        )
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(3)
        send_everything(world)
        assert (len(first.messages), len(second.messages)) == (2, 1)
    (deferred,) = told(world.pool, "delivery.deferred")
    assert deferred.state["reply"] == "4.2.0 <recipient>: mailbox busy"
    assert deferred.state["about"] == "recipient"
    servers = [
        e.state["server"] for e in events(world.pool) if e.stream == deferred.stream and "server" in e.state
    ]
    assert servers == [alpha, alpha, beta, beta]
    assert world.counts() == {"sent": 3}


def test_who_cannot_be_reached_at_all_is_given_up_after_the_last_attempt(world: World) -> None:
    busy = SinkRule("rcpt", reply="450 4.2.0 <p1@example.org>: mailbox busy", recipient="p1@")
    with Sink(rules=(busy,)) as sink:
        world.add_server("alpha", sink)
        world.change_policy(poll_interval=1, retry_first=1, retry_cap=1, retry_attempts=3)
        world.add_people(2)
        send_everything(world)
        assert len(sink.attempts) == 4
    (failed,) = told(world.pool, "delivery.failed")
    assert failed.state["reply"] == "4.2.0 <recipient>: mailbox busy"
    assert len(told(world.pool, "delivery.deferred")) == 2
    assert world.counts() == {"sent": 1, "failed": 1}


def test_who_does_not_exist_fails_at_once(world: World) -> None:
    unknown = SinkRule("rcpt", reply="550 5.1.1 p1@example.org: no such user", recipient="p1@")
    with Sink(rules=(unknown,)) as sink:
        world.add_server("alpha", sink)
        world.add_people(5)
        send_everything(world)
        assert len(sink.attempts) == 5
    (failed,) = told(world.pool, "delivery.failed")
    assert failed.state["reply"] == "5.1.1 <recipient>: no such user"
    assert not told(world.pool, "server.suspended")
    assert world.counts() == {"sent": 4, "failed": 1}


# The message


def test_a_letter_that_cannot_be_written_to_one_person_goes_to_the_others(world: World) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink, daily_limit=3)
        add_person(world, "ada@example.org", city="London")
        add_person(world, "bob@example.org")
        add_person(world, "cyd@example.org", city="Paris")
        send_everything(world, text="How is {{ subscriber.attributes.city }}?")
        assert sorted(received.rcpt_to[0] for received in sink.messages) == [
            "ada@example.org",
            "cyd@example.org",
        ]
    (failed,) = told(world.pool, "delivery.failed")
    assert failed.state["about"] == "message"
    assert "city" in failed.state["reply"]
    assert world.counts() == {"sent": 2, "failed": 1}


def test_a_campaign_that_no_letter_can_be_made_of_waits_for_a_person(world: World) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink)
        world.add_people(3)
        broken, sound = world.create_and_start(text="Dear {{ subscriber.name"), world.create_and_start()
        with world.sending():
            world.wait_for(broken, "paused")
            world.wait_for(sound)
        assert "no message can be made" in world.application.campaign(broken).reason
        assert len(sink.messages) == 3
    assert world.counts() == {"sent": 3, "queued": 3}


def test_an_address_that_one_server_cannot_write_goes_through_another(world: World) -> None:
    with Sink(smtputf8=False) as plain, Sink(smtputf8=False) as plain_too, Sink() as capable:
        world.add_server("alpha", plain, daily_limit=1000)
        world.add_server("beta", plain_too, daily_limit=900)
        world.add_server("gamma", capable, daily_limit=100)
        world.add_people(5)
        add_person(world, "jürgen@example.org")
        send_everything(world)
        assert [received.rcpt_to for received in capable.messages] == [("jürgen@example.org",)]
        assert len(plain.messages) + len(plain_too.messages) == 5
    assert attempts_counted(world) == [1] * 6
    assert len(told(world.pool, "delivery.attempt_started")) == 6


def test_an_address_that_no_server_can_write_fails_and_says_why(world: World) -> None:
    with Sink(smtputf8=False) as plain, Sink(smtputf8=False) as plain_too:
        world.add_server("alpha", plain)
        world.add_server("beta", plain_too)
        add_person(world, "jürgen@example.org")
        send_everything(world)
        assert not plain.attempts
        assert not plain_too.attempts
    (failed,) = told(world.pool, "delivery.failed")
    assert "SMTPUTF8" in failed.state["reply"]
    assert world.counts() == {"failed": 1}


def test_a_campaign_of_one_server_does_not_leave_it_for_an_address(world: World) -> None:
    with Sink(smtputf8=False) as plain, Sink() as capable:
        alpha = world.add_server("alpha", plain)
        world.add_server("beta", capable)
        add_person(world, "jürgen@example.org")
        send_everything(world, messenger=alpha)
        assert not capable.attempts
    assert world.counts() == {"failed": 1}


# The server

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
    rests = [
        datetime.fromisoformat(event.state["until"])
        - datetime.fromisoformat(event.state["timestamp"]["_data_"])
        for event in told(world.pool, "server.suspended")
    ]
    assert len(rests) == 2
    assert rests[0] < rests[1]
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


# The server, because of one e-mail

OF_ONE_RECIPIENT = {
    "its relay blocks us": SinkRule(
        "rcpt", reply="554 5.7.1 Client host [192.0.2.1] blocked", recipient="p1@"
    ),
    "its relay wants DMARC": SinkRule("dot", reply="550 5.7.26 DMARC policy of example.com", recipient="p1@"),
    "its relay knows no sign-in": SinkRule(
        "data", reply="530 5.7.0 Authentication required", recipient="p1@"
    ),
}


@pytest.mark.parametrize("refusal", OF_ONE_RECIPIENT.values(), ids=OF_ONE_RECIPIENT)
@pytest.mark.parametrize("others", [0, 40])
def test_one_recipient_whom_no_server_may_write_to_fails_and_suspends_none(
    world: World, refusal: SinkRule, others: int
) -> None:
    with Sink(rules=(refusal,)) as first, Sink(rules=(refusal,)) as second:
        alpha = world.add_server("alpha", first, daily_limit=1000)
        beta = world.add_server("beta", second, daily_limit=900)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(1 + others)
        send_everything(world)
        assert len(first.messages) + len(second.messages) == others
    assert not told(world.pool, "server.suspended")
    (failed,) = told(world.pool, "delivery.failed")
    assert failed.state["reply"] == (refusal.reply or "").partition(" ")[2]
    tried = [
        e.state["server"] for e in told(world.pool, "delivery.attempt_started") if e.stream == failed.stream
    ]
    assert tried == [alpha, beta, alpha]
    assert world.counts() == ({"sent": others, "failed": 1} if others else {"failed": 1})


def test_one_recipient_whom_servers_are_too_busy_for_is_given_up_after_the_last_attempt(world: World) -> None:
    busy = SinkRule("rcpt", reply="450 4.7.0 too many messages to this domain", recipient="p1@")
    with Sink(rules=(busy,)) as sink:
        world.add_server("alpha", sink)
        world.change_policy(poll_interval=1, retry_first=1, retry_cap=1, retry_attempts=3)
        world.add_people(20)
        send_everything(world)
        assert len(sink.messages) == 19
    assert not told(world.pool, "server.suspended")
    assert len(told(world.pool, "delivery.deferred")) == 3, "the first one is held against the server"
    assert world.counts() == {"sent": 19, "failed": 1}


def test_recipients_of_a_domain_that_no_server_may_write_to_have_an_end(world: World) -> None:
    refusal = SinkRule("rcpt", reply="554 5.7.1 Client host [192.0.2.1] blocked", recipient=r"p\d@")
    with Sink(rules=(refusal,)) as sink:
        world.add_server("alpha", sink, max_conns=2)
        world.change_policy(poll_interval=1, retry_first=1, retry_cap=1, first_suspension=1, max_suspension=1)
        world.add_people(30)
        send_everything(world)
        assert len(sink.messages) == 21
    assert len(told(world.pool, "server.suspended")) <= 9, "each of the nine bears witness once"
    assert world.counts() == {"sent": 21, "failed": 9}


# The connection


def test_a_connection_lost_within_a_message_costs_an_attempt_and_makes_no_double(world: World) -> None:
    with Sink(rules=(SinkRule("data", drop=True, times=1),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(5)
        send_everything(world)
        assert len(sink.messages) == 5
        assert not sink.duplicates()
    (deferred,) = told(world.pool, "delivery.deferred")
    assert deferred.state["about"] == "network"
    assert sorted(attempts_counted(world)) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("keeps", [True, False], ids=["it was kept", "it was not kept"])
def test_a_connection_lost_after_the_message_leaves_an_unknown_outcome(world: World, keeps: bool) -> None:
    with Sink(rules=(SinkRule("dot", drop=True, times=1, keeps=keeps),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(5)
        send_everything(world)
        assert len(sink.attempts) == 5
        assert len(sink.messages) == 4 + keeps
        assert not sink.duplicates()
    assert world.counts() == {"sent": 4, "unknown": 1}


def test_a_server_that_hangs_up_within_each_message_rests_before_it_has_used_up_attempts(
    world: World,
) -> None:
    with Sink(rules=(SinkRule("data", drop=True),)) as first, Sink() as second:
        alpha = world.add_server("alpha", first, daily_limit=1000, max_conns=1)
        world.add_server("beta", second, daily_limit=100)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(50)
        send_everything(world)
        assert len(first.attempts) == 5
        assert len(second.messages) == 50
    suspension = world.application.server(alpha).suspension
    assert suspension is not None
    assert suspension.reason == "the server closed the connection"
    assert sorted(attempts_counted(world)) == [1] * 45 + [2] * 5


def test_a_server_that_hangs_up_after_each_message_rests_before_it_leaves_all_unknown(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True),)) as sink:
        alpha = world.add_server("alpha", sink, max_conns=1)
        world.add_people(50)
        world.create_and_start()
        with world.sending():
            wait_until(lambda: world.application.server(alpha).suspension)
            wait_until(lambda: world.counts() == {"unknown": 5, "queued": 45})
        assert len(sink.attempts) == 5


def test_breaks_with_answers_in_between_are_no_trouble_of_the_server(world: World) -> None:
    fragile = tuple(SinkRule("data", drop=True, recipient=f"p{n}@", times=1) for n in range(0, 50, 4))
    with Sink(rules=fragile) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1)
        world.add_people(50)
        send_everything(world)
        assert len(sink.messages) == 50
    assert len(told(world.pool, "delivery.deferred")) > 5
    assert not told(world.pool, "server.suspended")


def test_an_unknown_outcome_is_sent_again_where_the_policy_says_so(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True, times=2, recipient="p1@", keeps=True),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(poll_interval=1, retry_first=1, resend_unknown=True)
        world.add_people(5)
        send_everything(world)
        (copies,) = sink.duplicates().values()
        assert copies == 2, "the copies are known by their Message-ID"
    assert [event.state["reason"] for event in told(world.pool, "delivery.requeued")] == ["policy", "policy"]
    assert world.counts() == {"sent": 5}


def test_sending_again_by_policy_has_an_end(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(
            poll_interval=1, retry_first=1, retry_cap=1, retry_attempts=2, resend_unknown=True
        )
        world.add_people(1)
        send_everything(world)
        assert len(sink.attempts) == 2
    assert world.counts() == {"unknown": 1}


def test_after_a_retry_by_hand_it_is_sent_again_by_policy_as_before(world: World) -> None:
    with Sink(rules=(SinkRule("dot", drop=True),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.change_policy(
            poll_interval=1, retry_first=1, retry_cap=1, retry_attempts=2, resend_unknown=True
        )
        (person,) = world.add_people(1)
        campaign = send_everything(world)
        assert len(sink.attempts) == 2
        Queue(world.installation).step_in("retry", campaign << 32 | person, by="test", reason="policy")
        with world.sending():
            wait_until(lambda: len(sink.attempts) == 4 and world.counts() == {"unknown": 1})
    authors = [event.state["by"] for event in told(world.pool, "delivery.requeued")]
    assert authors == ["processor:1", "test", "processor:2"]


@pytest.mark.parametrize(
    ("step", "patience", "counts"),
    [("rcpt", 300, {"sent": 1}), ("data", 120, {"sent": 1}), ("dot", 600, {"unknown": 1})],
)
def test_a_server_that_falls_silent_is_not_waited_for_longer_than_the_standard_says(
    database_url: str, step: Any, patience: float, counts: dict[str, int]
) -> None:
    clock = MovingClock(NOON)
    world = World(database_url, clock)
    with Sink(rules=(SinkRule(step, delay=36_000, times=1),)) as sink:
        world.add_server("alpha", sink, max_conns=1)
        world.add_people(1)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: sink.occasions.times_used())
            clock.advance_to(clock.now() + timedelta(seconds=patience - 60))
            wait_until(lambda: world.counts() == {"sending": 1})
            clock.advance_to(clock.now() + timedelta(seconds=61))
            wait_until(lambda: "sending" not in world.counts())
            clock.advance_to(clock.now() + timedelta(seconds=61))
            world.wait_for(campaign)
        assert len(sink.messages) == 1
    assert world.counts() == counts
    with world.pool.transaction() as cursor:
        cursor.execute(WAITED_FOR)
        (waited,) = cursor.fetchone() or (None,)
    assert waited.total_seconds() >= patience
    world.close()


def test_idle_connections_are_closed_in_time(world: World) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink, idle_timeout=1)
        world.add_people(5)
        campaign = world.create_and_start()
        with world.sending():
            world.wait_for(campaign)
            wait_until(lambda: sink.open_connections == 0)


def test_connections_that_the_server_closed_meanwhile_cost_nothing(world: World) -> None:
    with Sink() as sink:
        world.add_server("alpha", sink, idle_timeout=600)
        world.add_people(5)
        first = world.create_and_start()
        with world.sending():
            world.wait_for(first)
            assert sink.open_connections
            sink.hang_up()
            world.wait_for(world.create_and_start())
        assert len(sink.messages) == 10
    assert attempts_counted(world) == [1] * 10
    assert {event.state["about"] for event in told(world.pool, "delivery.deferred")} <= {"server"}
    assert not told(world.pool, "server.suspended")


def test_a_server_that_gives_up_a_used_connection_is_called_anew_and_does_not_rest(world: World) -> None:
    farewell = Act(b"421 4.4.2 idle for too long\r\n", "hang up")
    with ScriptedServer({"mail": [Act(), farewell, Act(), Act()]}) as server:
        world.add_server("alpha", server.port, max_conns=1)
        world.add_people(3)
        send_everything(world)
        assert len(server.bodies) == 3
    assert attempts_counted(world) == [1] * 3
    assert not told(world.pool, "server.suspended")
