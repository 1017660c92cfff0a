"""Recipients and messages that make trouble: what becomes of the e-mails."""

from __future__ import annotations

import pytest

from application.queue.deliveries import Deliveries
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from projections.queue.items import WantedItems
from tests.sending.ledger import events
from tests.sending.servers.trouble import add_person, attempts_counted, send_everything, told
from tests.sending.world import World, wait_until

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


def test_what_a_server_replied_is_on_record_and_shown_with_its_code(world: World) -> None:
    gone = SinkRule("rcpt", reply="550 5.1.1 no such user", recipient="p1@")
    busy = SinkRule("rcpt", reply="450 4.2.0 mailbox busy", recipient="p2@")
    with Sink(rules=(gone, busy)) as sink:
        world.add_server("alpha", sink)
        world.add_people(3)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: world.counts() == {"failed": 1, "queued": 1, "sent": 1})
    found = {
        (event.topic, event.state["code"], event.state["reply"].partition(" ")[0])
        for event in events(world.pool)
        if "reply" in event.state
    }
    assert found == {
        ("delivery.failed", 550, "5.1.1"),
        ("delivery.deferred", 450, "4.2.0"),
        ("delivery.accepted", 250, "2.0.0"),
    }
    shown, _ = Deliveries(world.installation).page(WantedItems(campaign), 0, 10)
    assert {str(one.status): one.item.error for one in shown} == {
        "failed": "550 5.1.1 no such user",
        "queued": "450 4.2.0 mailbox busy",
        "sent": None,
    }


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
