"""What people do while a campaign is on its way: it is in force within a second, and nobody gets two."""

from __future__ import annotations

import time
from email import message_from_bytes

import pytest

from postledger.sink.sink import Sink
from tests.pulse import Soon
from tests.sending.ledger import events
from tests.sending.steering import of_campaign, send_another
from tests.sending.world import World, wait_until


def test_a_pause_bites_and_resuming_goes_on_with_the_rest(world: World, sink: Sink, soon: Soon) -> None:
    world.add_server("alpha", sink, max_conns=4)
    world.add_people(200)
    campaign = world.create_and_start()
    with world.sending():
        wait_until(lambda: len(sink.messages) >= 30)
        world.application.pause(campaign, by="test")
        paused_at = time.time()
        send_another(world)
        wait_until(lambda: time.time() > soon(paused_at))
        sent = of_campaign(sink, campaign)
        assert len(sent) < 200
        assert max(received.mail_at for received in sent) < soon(paused_at)
        assert world.counts() == {"sent": len(sent) + 20, "queued": 200 - len(sent)}
        world.application.resume(campaign, by="test")
        world.wait_for(campaign)
    assert world.counts() == {"sent": 220}
    assert len(of_campaign(sink, campaign)) == 200
    assert not sink.duplicates()


def test_a_paused_queue_begins_nothing_in_any_campaign(world: World, sink: Sink, soon: Soon) -> None:
    world.add_server("alpha", sink, max_conns=4)
    world.add_people(200)
    campaign = world.create_and_start()
    with world.sending():
        wait_until(lambda: len(sink.messages) >= 30)
        world.application.change_policy({"queue_paused": True}, by="test")
        paused_at = time.time()
        world.add_people(20, "Others")
        other = world.create_and_start("Others")
        wait_until(lambda: time.time() > soon(paused_at))
        assert max(received.mail_at for received in list(sink.messages)) < soon(paused_at)
        assert of_campaign(sink, other) == []
        world.application.change_policy({"queue_paused": False}, by="test")
        world.wait_for(campaign)
        world.wait_for(other)
    assert world.counts() == {"sent": 220}
    assert not sink.duplicates()


def test_cancelling_cancels_what_is_unsent(world: World, sink: Sink, soon: Soon) -> None:
    world.add_server("alpha", sink, max_conns=4)
    world.add_people(200)
    campaign = world.create_and_start()
    with world.sending():
        wait_until(lambda: len(sink.messages) >= 30)
        world.application.cancel(campaign, by="test")
        cancelled_at = time.time()
        send_another(world)
        wait_until(lambda: time.time() > soon(cancelled_at))
    sent = of_campaign(sink, campaign)
    assert max(received.mail_at for received in sent) < soon(cancelled_at)
    assert len(sent) < 200
    assert world.counts() == {"sent": len(sent) + 20, "cancelled": 200 - len(sent)}


def test_who_is_blocklisted_unsubscribed_or_erased_meanwhile_is_not_mailed(
    world: World, sink: Sink, soon: Soon
) -> None:
    world.add_server("alpha", sink, max_conns=4)
    people = world.add_people(200)
    campaign = world.create_and_start()
    with world.sending():
        wait_until(lambda: len(sink.messages) >= 30)
        everybody = world.directory.people
        everybody.set_status(people[40:90], "blocklisted", by="test")
        everybody.unsubscribe([people[-2]], None, by="test")
        everybody.erase([people[-1]], by="test")
        stopped_at = time.time()
        world.wait_for(campaign)
    gone = {f"p{n}@example.org" for n in [*range(41, 91), 199, 200]}
    mailed = [received for received in sink.messages if received.rcpt_to[0] in gone]
    assert all(received.mail_at < soon(stopped_at) for received in mailed)
    assert world.counts() == {"sent": len(sink.messages), "suppressed": 200 - len(sink.messages)}
    reasons = [event.state["reason"] for event in events(world.pool) if event.topic == "delivery.suppressed"]
    assert set(reasons) == {"blocklisted", "unsubscribed", "erased"}
    assert len(reasons) == 52 - len(mailed)


def test_a_person_two_campaigns_wait_for_is_mailed_by_neither_once_blocklisted(
    world: World, sink: Sink, soon: Soon
) -> None:
    world.add_server("alpha", sink, max_conns=1)
    people = world.add_people(60)
    first, second = world.create_and_start(), world.create_and_start()
    with world.sending():
        wait_until(lambda: len(of_campaign(sink, first)) >= 5 and len(of_campaign(sink, second)) >= 5)
        world.directory.people.set_status(people, "blocklisted", by="test")
        stopped_at = time.time()
        world.wait_for(first)
        world.wait_for(second)
    assert all(received.mail_at < soon(stopped_at) for received in sink.messages)
    assert world.counts() == {"sent": len(sink.messages), "suppressed": 120 - len(sink.messages)}


@pytest.mark.parametrize("by", ["disabling", "suspending"])
def test_a_server_is_taken_out_of_use_and_the_other_goes_on(
    world: World, sink: Sink, by: str, soon: Soon
) -> None:
    with Sink(latency=0.02) as other:
        alpha, _ = world.add_server("alpha", sink, max_conns=2), world.add_server("beta", other, max_conns=2)
        world.add_people(160)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: len(sink.messages) >= 20)
            if by == "disabling":
                world.application.disable_server(alpha, by="test")
            else:
                world.application.suspend_server(alpha, reason="a look at it", until=None, by="test")
            stopped_at = time.time()
            world.wait_for(campaign)
        assert max(at for at, _ in sink.attempts) < soon(stopped_at)
        assert len(sink.messages) < 80 < len(other.messages)
        assert len({received.delivery for received in [*sink.messages, *other.messages]}) == 160
    assert world.counts() == {"sent": 160}


def test_a_suspended_server_is_used_again_at_once_when_somebody_resumes_it(world: World, sink: Sink) -> None:
    alpha = world.add_server("alpha", sink)
    world.application.suspend_server(alpha, reason="a look at it", until=None, by="test")
    world.change_policy(poll_interval=600)
    world.add_people(5)
    campaign = world.create_and_start()
    with world.sending():
        wait_until(lambda: world.counts() == {"queued": 5})
        world.application.resume_server(alpha, by="test")
        world.wait_for(campaign)
    assert world.counts() == {"sent": 5}


def test_a_lowered_limit_is_kept(world: World, sink: Sink, soon: Soon) -> None:
    with Sink(latency=0.02) as other:
        alpha = world.add_server("alpha", sink, max_conns=2, daily_limit=1000)
        world.add_server("beta", other, max_conns=2, daily_limit=1000)
        world.add_people(160)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: len(sink.messages) >= 20)
            world.application.change_server(alpha, {"daily_limit": 1}, by="test")
            changed_at = time.time()
            world.wait_for(campaign)
        assert len(sink.messages) + len(other.messages) == 160
        assert len(sink.messages) < len(other.messages)
    with world.pool.transaction() as cursor:
        cursor.execute(
            "SELECT max(extract(epoch FROM recorded_at)) FROM event_log e JOIN reservations r"
            " ON r.reservation = e.version AND r.server = %s WHERE e.topic = 'capacity.reserved'"
            " AND e.recorded_at = r.reserved_at",
            (alpha,),
        )
        (last_reserved_at,) = cursor.fetchone() or (None,)
    assert float(last_reserved_at) < soon(changed_at)


def test_a_changed_sender_is_the_sender_of_what_follows(world: World, sink: Sink, soon: Soon) -> None:
    alpha = world.add_server("alpha", sink, max_conns=2, from_email="old@alpha.example")
    world.add_people(120)
    campaign = world.create_and_start()
    with world.sending():
        wait_until(lambda: len(sink.messages) >= 20)
        world.application.change_server(alpha, {"from_email": "New <new@alpha.example>"}, by="test")
        changed_at = time.time()
        world.wait_for(campaign)
    for received in sink.messages:
        if received.mail_at > soon(changed_at):
            assert received.mail_from == "new@alpha.example"
        assert message_from_bytes(received.message)["From"].endswith(
            "new@alpha.example>" if received.mail_from == "new@alpha.example" else "old@alpha.example"
        )
    assert {received.mail_from for received in sink.messages} == {"old@alpha.example", "new@alpha.example"}


def test_a_server_that_moved_is_found_where_it_is_now(world: World, sink: Sink, soon: Soon) -> None:
    with Sink(latency=0.02) as elsewhere:
        alpha = world.add_server("alpha", sink, max_conns=2)
        world.add_people(120)
        campaign = world.create_and_start()
        with world.sending():
            wait_until(lambda: len(sink.messages) >= 20)
            world.application.change_server(alpha, {"port": elsewhere.port}, by="test")
            changed_at = time.time()
            world.wait_for(campaign)
        assert max(at for at, _ in sink.attempts) < soon(changed_at)
        assert len(sink.messages) + len(elsewhere.messages) == 120
