"""The list of campaigns, and the page of one: what became of it, and how it is steered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.campaign.state import State
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.campaigns.writing import write
from tests.web.pages.reading import rows, seen, told
from tests.web.world import NOON, World


def test_without_campaigns_the_list_says_what_to_do_first(person: Browser) -> None:
    page = person.get("/campaigns").text
    assert "No campaign yet" in seen(page)
    assert 'href="/campaigns/new"' in page


def test_the_list_is_filtered_searched_and_paged(person: Browser, world: World) -> None:
    for number in range(1, 23):
        world.campaign(f"Letter {number}")
    world.application.start(3, by="test")
    world.shown()
    first = seen(person.get("/campaigns").text)
    assert "Letter 22" in first
    assert "Letter 2 " not in first
    assert "Page 1 of 2, 22 campaigns" in first
    assert "Letter 2 " in seen(person.get("/campaigns?page=2").text)
    assert "Letter 3 " in seen(person.get("/campaigns?status=running").text)
    assert "Letter 4 " not in seen(person.get("/campaigns?status=running").text)
    found = seen(person.get("/campaigns?search=letter+22").text)
    assert "Letter 22" in found
    assert "Letter 21" not in found
    assert "No matching campaigns" in seen(person.get("/campaigns?search=%25").text)


@pytest.fixture
def under_way(world: World, people: list[int]) -> list[int]:
    """Campaign 1: one sent, one failed, one deferred, one unknown, one waiting."""
    alpha, beta = world.server("alpha"), world.server("beta")
    world.queued(world.campaign(), people)
    world.accepted(1, people[0], alpha)
    world.failed(1, people[1], beta, "550 5.1.1 No such user u17@example.org here")
    world.deferred(1, people[2], alpha, NOON + timedelta(hours=1))
    world.unknown(1, people[3], beta)
    world.shown()
    return people


def test_the_page_tells_what_became_of_each(person: Browser, under_way: list[int]) -> None:
    page = person.get("/campaigns/1").text
    text = seen(page)
    for said in (
        "Queued 1 20 %", "Sending 0", "Sent 1 20 %", "Deferred 1 20 %", "Failed 1 20 %",
        "Unknown 1 20 %", "60 %",
    ):  # fmt: skip
        assert said in text
    assert ["alpha", "1", "0", "1", "0"] in [row[:5] for row in rows(page)]
    assert ["beta", "0", "1", "0", "1"] in [row[:5] for row in rows(page)]
    assert "1 550 5.1.1 No such user … here failed, about the recipient" in text
    assert 'data-refresh="/campaigns/1/live"' in page
    live = person.get("/campaigns/1/live")
    assert seen(live.text) in text
    assert "<html" not in live.text


def test_what_was_deferred_counts_as_cancelled_with_its_campaign(
    person: Browser, world: World, under_way: list[int]
) -> None:
    world.application.cancel(1, by="test")
    world.shown()
    page = person.get("/campaigns/1").text
    assert "Cancelled 2 40 %" in seen(page)
    assert "Deferred 1" not in seen(page)
    assert ["alpha", "1", "0", "0", "0"] in [row[:5] for row in rows(page)]


@pytest.mark.parametrize(
    ("step", "state", "topic"), [("pause", "paused", "paused"), ("cancel", "cancelled", "cancelled")]
)
def test_pausing_and_cancelling_ask_first_and_keep_the_reason(
    person: Browser, pool: Pool, world: World, under_way: list[int], step: str, state: str, topic: str
) -> None:
    question = person.get(f"/campaigns/1/{step}").text
    assert "Reason" in question
    assert "sent so far: 1. Still queued: 2." in seen(question)
    assert world.application.campaign(1).state is State.RUNNING
    answer = person.post(f"/campaigns/1/{step}", f"/campaigns/1/{step}", reason="A wrong link")
    assert (answer.status_code, answer.location) == (303, "/campaigns/1")
    assert world.application.campaign(1).state == state
    (event,) = told(pool, f"campaign.{topic}")
    assert (event["reason"], event["by"]) == ("A wrong link", "local")
    assert "A wrong link" in seen(person.get("/campaigns/1").text)


def test_a_reason_that_is_too_long_is_not_lost(person: Browser, world: World, under_way: list[int]) -> None:
    answer = person.post("/campaigns/1/pause", "/campaigns/1/pause", reason="x" * 501)
    assert answer.status_code == 400
    assert "x" * 501 in answer.text
    assert world.application.campaign(1).state is State.RUNNING


def test_a_paused_campaign_goes_on_and_its_priority_changes(
    person: Browser, pool: Pool, world: World, under_way: list[int]
) -> None:
    world.application.pause(1, reason="", by="test")
    world.shown()
    resume, priority = "/campaigns/1/resume", "/campaigns/1/priority"
    assert person.post(resume, resume, reason="The link is mended").status_code == 303
    assert world.application.campaign(1).state is State.RUNNING
    assert person.post(priority, priority, priority="high", reason="It is late").status_code == 303
    (resumed,), (raised,) = (told(pool, f"campaign.{topic}") for topic in ("resumed", "priority_changed"))
    assert (resumed["reason"], raised["priority"], raised["reason"]) == (
        "The link is mended", "high", "It is late",
    )  # fmt: skip
    for page in ("/campaigns/1", "/log"):
        text = seen(person.get(page).text)
        assert "Priority set to high It is late" in text
        assert "resumed The link is mended" in text.replace("Resumed", "resumed")
    assert "The link is mended" not in seen(person.get("/").text), "only what holds a campaign up"


def test_a_priority_that_is_none_is_refused_and_the_reason_not_lost(
    person: Browser, world: World, under_way: list[int]
) -> None:
    page = "/campaigns/1/priority"
    answer = person.post(page, page, priority="utmost", reason="It is late")
    assert answer.status_code == 400
    assert "is not one of high, normal, low" in seen(answer.text)
    assert 'value="It is late"' in answer.text
    assert world.application.campaign(1).priority == "normal"


def test_steps_that_the_state_does_not_allow_say_so(person: Browser, world: World, people: list[int]) -> None:
    write(person)
    for step in ("pause", "resume", "cancel"):
        answer = person.post(f"/campaigns/1/{step}", f"/campaigns/1/{step}", reason="")
        assert answer.status_code == 400
        assert "a draft campaign cannot be" in seen(answer.text).lower()


def test_an_unknown_campaign_is_nowhere(person: Browser) -> None:
    paths = ["", "/edit", "/start", "/live", "/pause", "/preview"]
    assert {person.get(f"/campaigns/7{path}").status_code for path in paths} == {404}
    assert person.get("/campaigns/99999999999").status_code == 404
