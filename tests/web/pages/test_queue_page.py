"""The queue page: what waits, why, and stepping in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from application.queue import queue as queue_commands
from application.queue.queue import Queue
from domain.streams import server_stream
from projections.queue.items import WantedItems, items
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.reading import addresses, seen, told
from tests.web.world import NOON, World


@pytest.fixture
def campaign(world: World) -> int:
    """Of six people one was sent to, one failed, one is deferred in an hour; three wait."""
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(6)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.failed(campaign, people[1], server)
    world.deferred(campaign, people[2], server, NOON + timedelta(hours=1))
    world.shown()
    return campaign


def number(campaign: int, recipient: int) -> int:
    return campaign << 32 | recipient


def test_an_empty_queue_says_where_its_emails_come_from(person: Browser) -> None:
    assert "The queue is empty" in seen(person.get("/queue").text)


def test_each_email_says_why_it_waits_or_what_was_said_last(person: Browser, campaign: int) -> None:
    text = seen(person.get("/queue").text)
    assert "All 6 Sent 1 Sending 0 Queued 4 Failed 1" in text
    assert "Queued next in line" in text
    assert "retry at 2026-03-04 13:00 UTC 450 4.2.1 Try later" in text
    assert "550 5.1.1 No such user" in text


def test_filters_narrow_the_list_and_are_in_the_address(person: Browser, world: World, campaign: int) -> None:
    assert addresses(person.get("/queue?status=failed").text) == ["p2@example.org"]
    assert addresses(person.get("/queue?subscriber=p5@").text) == ["p5@example.org"]
    assert len(addresses(person.get(f"/queue?smtp_server_uuid={server_stream(1)}").text)) == 3
    other = world.campaign("Autumn letter")
    world.queued(other, [4, 5])
    page = person.get(f"/queue?campaign_id={other}&status=queued").text
    assert addresses(page) == ["p4@example.org", "p5@example.org"]
    assert "2 e-mails match" in seen(page)
    assert "No matching e-mails" in seen(person.get(f"/queue?campaign_id={other}&status=sent").text)


def test_an_email_that_waits_for_another_campaign_says_so(
    person: Browser, world: World, campaign: int
) -> None:
    world.queued(world.campaign("Alarm", priority="high"), [1, 2])
    text = seen(person.get(f"/queue?campaign_id={campaign}").text)
    assert "Queued campaigns of higher priority go first" in text
    assert "next in line" not in text


def test_a_page_at_a_time(person: Browser, world: World) -> None:
    world.server("alpha")
    world.queued(world.campaign(), world.people(60))
    first = person.get("/queue")
    assert "Page 1 of 3" in seen(first.text)
    assert 'href="/queue?page=2"' in first.text
    assert len(addresses(person.get("/queue?page=3").text)) == 10
    assert "There is no such page" in seen(person.get("/queue?page=9").text)


@pytest.mark.parametrize("wrong", ["status=lost", "campaign_id=x", "page=0", "smtp_server_uuid=7"])
def test_a_filter_that_makes_no_sense_is_refused(person: Browser, wrong: str) -> None:
    assert person.get(f"/queue?{wrong}").status_code == 400


def test_one_is_cancelled_and_put_back_by_whoever_is_there(
    person: Browser, pool: Pool, campaign: int
) -> None:
    one, back = number(campaign, 4), f"/queue?campaign_id={campaign}"
    answer = person.post(f"/queue/{one}/cancel", "/queue", back=back)
    assert (answer.status_code, answer.location) == (303, back)
    assert "E-mail cancelled" in seen(person.get(back).text)
    assert told(pool, "delivery.cancelled") == [{"by": "local", "reason": "asked for"}]
    person.post(f"/queue/{one}/retry", "/queue")
    assert "Queued 4" in seen(person.get("/queue").text)
    assert told(pool, "delivery.requeued") == [{"by": "local", "reason": "asked for"}]


def test_what_cannot_be_done_is_said_and_not_done(person: Browser, pool: Pool, campaign: int) -> None:
    answer = person.post(f"/queue/{number(campaign, 1)}/cancel", "/queue")
    assert answer.status_code == 303
    assert "this one is sent" in seen(person.get("/queue").text)
    assert told(pool, "delivery.cancelled") == []
    assert person.post(f"/queue/{number(campaign, 99)}/cancel", "/queue").status_code == 404
    assert person.post(f"/queue/{number(campaign, 1)}/destroy", "/queue").status_code == 404


def test_a_form_leads_back_to_the_queue_alone(person: Browser, campaign: int) -> None:
    for back in ("https://elsewhere.example/", "//elsewhere.example", "/queue\\@elsewhere", "/settings"):
        answer = person.post(f"/queue/{number(campaign, 4)}/cancel", "/queue", back=back)
        assert answer.location == "/queue"


def test_a_retry_that_waits_is_sent_now(person: Browser, pool: Pool, campaign: int) -> None:
    person.post(f"/queue/{number(campaign, 3)}/send-now", "/queue")
    assert "next in line" in seen(person.get("/queue?subscriber=p3@").text)
    with pool.transaction() as cursor:
        (one,), _ = items(cursor, WantedItems(campaign, recipients=[3]), 0, 1)
    assert (one.due, one.attempts) == (NOON, 0)
    person.post(f"/queue/{number(campaign, 4)}/send-now", "/queue")
    assert "is sent as soon as a server has capacity" in seen(person.get("/queue").text)


def test_all_that_match_are_cancelled_after_their_number_was_told(
    person: Browser, pool: Pool, campaign: int
) -> None:
    asked = person.get(f"/queue/all/cancel?campaign_id={campaign}")
    assert "4 e-mails They are queued and will not be sent" in seen(asked.text)
    assert told(pool, "delivery.cancelled") == []
    path = f"/queue/all/cancel?campaign_id={campaign}"
    answer = person.post(path, path)
    assert answer.location == f"/queue?campaign_id={campaign}"
    text = seen(person.get(answer.location).text)
    assert "4 e-mails are cancelled." in text
    assert "Sent 1 Sending 0 Queued 0 Failed 1 Unknown 0 Suppressed 0 Cancelled 4" in text


def test_many_are_done_in_batches_until_none_is_left(
    person: Browser, world: World, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_commands, "CHUNK", 2)
    monkeypatch.setattr(queue_commands, "MOST_AT_ONCE", 5)
    world.server("alpha")
    world.queued(world.campaign(), world.people(8))
    answer = person.post("/queue/all/cancel", "/queue")
    assert answer.location == "/queue/all/cancel"
    assert "5 e-mails are cancelled; 3 are left" in seen(person.get(answer.location).text)
    answer = person.post("/queue/all/cancel", "/queue")
    assert answer.location == "/queue"
    assert len(told(pool, "delivery.cancelled")) == 8


def test_those_of_a_cancelled_campaign_are_not_tried_again(
    person: Browser, world: World, pool: Pool, campaign: int
) -> None:
    gone = world.campaign("Autumn letter")
    world.queued(gone, [1, 2])
    world.application.cancel(gone, by="test")
    assert "1 e-mail They failed" in seen(person.get("/queue/all/retry").text)
    person.post("/queue/all/retry", "/queue")
    assert len(told(pool, "delivery.requeued")) == 1
    assert "None of them can be retried" in seen(person.get(f"/queue/all/retry?campaign_id={gone}").text)


def test_all_that_wait_for_another_try_are_sent_now(person: Browser, pool: Pool, campaign: int) -> None:
    assert "1 e-mail They are deferred" in seen(person.get("/queue/all/send-now").text)
    person.post("/queue/all/send-now", "/queue")
    assert len(told(pool, "delivery.requeued")) == 1
    assert "None of them is deferred" in seen(person.get("/queue/all/send-now").text)


def test_of_many_the_one_that_changed_meanwhile_is_left_alone(
    world: World, pool: Pool, campaign: int
) -> None:
    with pool.transaction() as cursor:
        waiting, _ = items(cursor, WantedItems(campaign, [0]), 0, 10)
    world.accepted(campaign, waiting[1].recipient, 1)
    assert Queue(world.installation).append("cancel", waiting, by="test") == len(waiting) - 1
    assert len(told(pool, "delivery.cancelled")) == len(waiting) - 1


def test_the_whole_queue_is_paused_and_goes_on(person: Browser, pool: Pool, campaign: int) -> None:
    person.post("/queue/pause", "/queue", back="/queue?status=queued")
    text = seen(person.get("/queue").text)
    assert "The queue is paused: no campaign sends anything" in text
    assert "Queued the queue is paused" in text
    person.post("/queue/resume", "/queue")
    assert "next in line" in seen(person.get("/queue").text)
    assert told(pool, "policy.changed") == [
        {"by": "local", "changes": {"queue_paused": True}},
        {"by": "local", "changes": {"queue_paused": False}},
    ]


def test_a_form_without_its_token_changes_nothing(app: Flask, pool: Pool, campaign: int) -> None:
    client = app.test_client()
    for path in ("/queue/pause", "/queue/all/cancel", f"/queue/{number(campaign, 4)}/cancel"):
        assert client.post(path).status_code == 403
    assert told(pool, "delivery.cancelled") == told(pool, "policy.changed") == []
