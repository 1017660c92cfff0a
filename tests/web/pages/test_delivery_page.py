"""One e-mail's story."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from functools import partial

import pytest

from application.queue import waits
from domain.delivery.delivery import Accepted, Cancelled, Requeued, Suppressed
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.reading import seen
from tests.web.world import NOON, World
from web.pages.queue import deliveries


def story(person: Browser, campaign: int, recipient: int) -> str:
    return seen(person.get(f"/queue/{campaign << 32 | recipient}").text)


def in_order(text: str, *parts: str) -> bool:
    at = [text.find(part) for part in parts]
    return -1 not in at and at == sorted(at)


def test_it_is_told_from_the_queue_to_the_end(person: Browser, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(3)
    world.queued(campaign, people)
    world.deferred(campaign, people[1], server, NOON + timedelta(hours=1))
    world.application.pause(campaign, reason="typo", by="user:ada")
    world.application.resume(campaign, by="user:ada")
    world.clock.advance_to(NOON + timedelta(hours=1))
    world.accepted(campaign, people[1], server)
    text = story(person, campaign, people[1])
    assert in_order(
        text,
        "Queued",
        "Attempt started through alpha",
        "Deferred by alpha because of the recipient; next attempt at 2026-03-04 13:00 UTC",
        "450 4.2.1 Try later",
        "Campaign paused typo",
        "by ada",
        "Campaign resumed",
        "Attempt 2: Attempt started through alpha",
        "alpha accepted it 250 2.0.0 Ok: queued as 4F1",
        "Done: the server accepted it",
    )


def test_what_it_waited_for_is_told_between_what_happened(person: Browser, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.application.change_policy({"windows": "13:00-20:00"}, by="test")
    world.queued(campaign, people)
    world.clock.advance_to(NOON + timedelta(hours=1))
    world.deferred(campaign, people[0], server, NOON + timedelta(hours=1, minutes=5, seconds=30))
    world.clock.advance_to(NOON + timedelta(hours=1, minutes=5, seconds=30))
    world.accepted(campaign, people[0], server)
    assert in_order(
        story(person, campaign, people[0]),
        "Queued",
        "Waited 1 h: outside the sending window",
        "Attempt started through alpha",
        "Deferred by alpha because of the recipient",
        "Waited 5 min 30 s: retry",
        "Attempt 2: Attempt started through alpha",
        "alpha accepted it",
    )


def test_where_too_much_happened_it_says_what_it_cannot_tell(
    person: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, campaign, people = world.server("alpha", daily_limit=1000), world.campaign(), world.people(1)
    world.reserve(server, 1)
    world.clock.advance_to(NOON + timedelta(minutes=1))
    world.queued(campaign, people)
    for minute in (2, 3):
        world.clock.advance_to(NOON + timedelta(minutes=minute))
        world.reserve(server, 1)
    assert "Too much happened" not in story(person, campaign, people[0])
    monkeypatch.setattr(deliveries, "MOST_RESERVATIONS", 2)
    world.clock.advance_to(NOON + timedelta(minutes=4))
    reads_on = f"postledger delivery show {campaign}/{people[0]} reads on."
    assert (
        "Too much happened meanwhile to tell here what it waited for after 2026-03-04 12:03 UTC ; " + reads_on
    ) in story(person, campaign, people[0])
    monkeypatch.setattr(waits, "MOST_SUMMED_UP", 0)
    text = story(person, campaign, people[0])
    assert f"Too much happened meanwhile to tell here what it waited for; {reads_on}" in text
    assert "Waited" not in text


def test_a_reply_is_shown_with_its_code_where_that_is_on_record(person: Browser, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(2)
    world.queued(campaign, people)
    for recipient, code in zip(people, (250, None), strict=True):
        world.attempt(campaign, recipient, server)
        world.tell(campaign, recipient, Accepted, server=server, reply="2.0.0 Ok: queued", code=code)
    assert "alpha accepted it 250 2.0.0 Ok: queued" in story(person, campaign, people[0])
    assert "alpha accepted it 2.0.0 Ok: queued" in story(person, campaign, people[1])


def test_the_event_itself_is_there_to_be_checked(person: Browser, world: World) -> None:
    campaign, people = world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.tell(campaign, people[0], Cancelled, reason="wrong person")
    page = person.get(f"/queue/{campaign << 32 | people[0]}").text
    raw = [json.loads(html.unescape(text)) for text in re.findall("<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]
    assert [event["topic"] for event in raw] == ["audience.recipients_queued", "delivery.cancelled"]
    assert raw[1]["state"] == {"by": "test", "reason": "wrong person"}
    assert len(raw[1]["hash"]) == 64
    assert "Position" in page


def test_what_comes_next_is_said_in_every_state(person: Browser, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(7)
    world.queued(campaign, people)
    world.attempt(campaign, people[0], server)
    world.failed(campaign, people[1], server)
    world.unknown(campaign, people[2], server)
    world.tell(campaign, people[3], Suppressed, reason="unsubscribed")
    world.tell(campaign, people[4], Cancelled, reason="asked for")
    world.deferred(campaign, people[5], server, NOON + timedelta(hours=1))
    for recipient, said in zip(
        people,
        (
            "the server has not replied yet",
            "unless you retry it",
            "A retry may deliver it twice",
            "Not sent: the subscriber has unsubscribed",
            "Done: it is not sent",
            "Queued: retry at 2026-03-04 13:00 UTC . 9 more attempts before it fails",
            "Queued: next in line",
        ),
        strict=True,
    ):
        assert said in story(person, campaign, recipient)


def test_of_an_unknown_one_the_page_says_why_it_is_not_sent_again(person: Browser, world: World) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.unknown(campaign, people[0], server)
    by_number = partial(story, person, campaign, people[0])
    assert "It may have arrived, so nothing happens automatically" in by_number()
    world.application.change_policy({"resend_unknown": True}, by="test")
    assert "The settings did not allow resending when its outcome became unknown" in by_number()
    world.application.change_policy({"retry_attempts": 1}, by="test")
    assert "Its outcome was unknown as often as the settings allow" in by_number()
    world.application.cancel(campaign, by="test")
    assert "Its campaign is cancelled, so it is not sent again" in by_number()
    assert "sent again by itself" not in by_number()


def test_what_can_be_done_is_offered_and_leads_back(person: Browser, world: World, pool: Pool) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    path = f"/queue/{campaign << 32 | people[0]}"
    answer = person.post(f"{path}/cancel", path, back=path)
    assert answer.location == path
    assert "Retry" in seen(person.get(path).text)
    person.post(f"{path}/retry", path, back=path)
    world._versions[campaign, people[0]] = 2
    world.accepted(campaign, people[0], server)
    text = seen(person.get(path).text)
    assert in_order(text, "Cancelled", "Requeued", "alpha accepted it")
    assert "Retry" not in text


def test_an_email_cancelled_with_its_campaign_says_so(person: Browser, world: World) -> None:
    campaign, people = world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.application.cancel(campaign, reason="wrong voucher", by="user:ada")
    assert "Campaign cancelled wrong voucher" in story(person, campaign, people[0])


def test_one_put_back_to_be_tried_later_says_when(person: Browser, world: World) -> None:
    campaign, people = world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.tell(campaign, people[0], Cancelled, reason="asked for")
    later = NOON + timedelta(hours=2)
    world.tell(campaign, people[0], Requeued, reason="asked for", again=later.timestamp())
    assert "Requeued; next attempt at 2026-03-04 14:00 UTC" in story(person, campaign, people[0])


def test_the_story_outlives_the_person(person: Browser, world: World, pool: Pool) -> None:
    server, campaign, people = world.server("alpha"), world.campaign(), world.people(1)
    world.queued(campaign, people)
    world.accepted(campaign, people[0], server)
    world.directory.people.erase([people[0]], by="test")
    text = story(person, campaign, people[0])
    assert "p1@example.org" not in text
    assert "an erased subscriber, number 1" in text
    assert "alpha accepted it" in text


def test_no_such_email_is_not_found(person: Browser) -> None:
    for number in (0, 1, 1 << 32, 1 << 70):
        assert person.get(f"/queue/{number}").status_code == 404


def test_the_old_way_leads_there(person: Browser) -> None:
    assert person.get("/deliveries/4294967297").location == "/queue/4294967297"
