"""The estimate of a campaign, and its start: now or at a set time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from domain.campaign.state import State
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.campaigns.writing import many_people, write
from tests.web.pages.reading import rows, seen, told
from tests.web.world import NOON, World


def test_the_estimate_tells_the_days_before_the_start(person: Browser, world: World) -> None:
    """The example of the requirements, in a time zone whose day is as far as the clock's."""
    world.application.change_policy({"windows": "08:00-20:00"}, by="test")
    world.clock.advance_to(datetime(2026, 3, 5, 6, 0, tzinfo=UTC))
    many_people(world, 100_000)
    for number in range(1, 31):
        world.server(f"mail{number:02}", daily_limit=1000)
    world.campaign()
    world.shown()
    page = person.get("/campaigns/1/start").text
    assert "Completes in 4 days" in seen(page)
    assert "100,000 e-mails, the last one on Sunday 8 March" in seen(page)
    table = rows(page)
    assert [row[:2] for row in table[:4]] == [
        ["Thursday 5 March", "30,000"], ["Friday 6 March", "30,000"],
        ["Saturday 7 March", "30,000"], ["Sunday 8 March", "10,000"],
    ]  # fmt: skip
    assert table[4] == ["mail01", "1,000", "1,000", "1,000", "334", "3,334"]
    assert "The daily limits of the servers" in seen(page)
    assert "3,400 more a day Saturday 7 March" in seen(page)


def test_recipients_of_several_large_lists_are_told_as_about_so_many(person: Browser, world: World) -> None:
    many_people(world, 30_000)
    others = world.directory.list("Others")
    with world.pool.transaction() as cursor:
        cursor.execute(
            "INSERT INTO subscriptions (list, recipient, status)"
            " SELECT %s, number, 'confirmed' FROM recipients",
            (others,),
        )
    world.server("mail1")
    world.application.edit_campaign(world.campaign(), {"lists": [1, others]}, by="test")
    world.shown()
    assert "About 30,000 e-mails, the last one on" in seen(person.get("/campaigns/1/start").text)


def test_the_estimate_for_a_later_start_is_a_link(person: Browser, world: World, people: list[int]) -> None:
    world.server("alpha", daily_limit=2)
    write(person)
    answer = person.post(
        "/campaigns/1/start", "/campaigns/1/start", then="estimate", send_at="2026-03-09T10:00"
    )
    assert answer.location == "/campaigns/1/start?send_at=2026-03-09T10:00"
    page = person.get(answer.location).text
    assert [row[:2] for row in rows(page)[:3]] == [
        ["Monday 9 March", "2"], ["Tuesday 10 March", "2"], ["Wednesday 11 March", "1"],
    ]  # fmt: skip
    assert "Completes in 8 days" in seen(page)


def test_starting_keeps_the_estimate(person: Browser, pool: Pool, world: World, people: list[int]) -> None:
    world.server("alpha", daily_limit=2)
    write(person)
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", when="now")
    assert (answer.status_code, answer.location) == (303, "/campaigns/1")
    assert world.application.campaign(1).state is State.RUNNING
    (estimate,) = told(pool, "campaign.estimated")
    assert (estimate["recipients"], estimate["days"], estimate["by"]) == (5, 3, "local")
    finish = datetime.fromtimestamp(estimate["finish"], UTC)
    assert finish.date() == (NOON + timedelta(days=2)).date()
    text = seen(person.get("/campaigns/1").text)
    assert "Original estimate 2026-03-06" in text
    assert "Estimated finish 2026-03-06" in text


def test_the_current_estimate_stands_beside_the_first(
    person: Browser, world: World, people: list[int]
) -> None:
    world.server("alpha", daily_limit=2)
    write(person)
    person.post("/campaigns/1/start", "/campaigns/1/start", when="now")
    world.application.change_server(1, {"daily_limit": 1}, by="test")
    world.shown()
    text = seen(person.get("/campaigns/1/live").text)
    assert "Estimated finish 2026-03-08" in text
    assert "now 2 days later" in text


def test_what_would_fail_or_reach_nobody_is_not_started(
    person: Browser, world: World, people: list[int]
) -> None:
    world.server("alpha")
    write(person, html="<p>{{ subscriber.attributes.town }}</p>{% if %}", text="")
    page = person.get("/campaigns/1/start").text
    assert "cannot be made for everybody" in seen(page)
    assert re.search(r"<button[^>]* disabled", page)
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", when="now")
    assert answer.status_code == 400
    assert "The campaign cannot be started" in seen(answer.text)
    write(person, lists=[str(world.directory.list("Nobody"))])
    answer = person.post("/campaigns/2/start", "/campaigns/2/start", when="now")
    assert answer.status_code == 400
    assert "none of the subscribers on its lists can be mailed" in seen(answer.text)
    assert all(world.application.campaign(number).state is State.DRAFT for number in (1, 2))


def test_a_start_time_is_set_in_the_zone_of_the_policy_and_taken_back(
    person: Browser, pool: Pool, world: World, people: list[int]
) -> None:
    world.application.change_policy({"timezone": "Europe/Berlin"}, by="test")
    world.server("alpha")
    answer = write(person, send_at="2026-03-06T08:00")
    assert answer.location == "/campaigns/1/start?send_at=2026-03-06T08:00"
    start = {"when": "later", "send_at": "2026-03-06T08:00"}
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", **start)
    assert answer.status_code == 303
    assert told(pool, "campaign.scheduled")[0]["send_at"] == "2026-03-06T07:00:00+00:00"
    assert told(pool, "campaign.estimated")[0]["first"] == datetime(2026, 3, 6, 7, tzinfo=UTC).timestamp()
    assert "Campaign scheduled to start at 2026-03-06 07:00" in seen(person.get("/campaigns/1").text)
    person.post("/campaigns/1/unschedule", "/campaigns/1")
    assert world.application.campaign(1).state is State.DRAFT


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("2026-03-01T08:00", "Must be in the future."),
        ("tomorrow", "A date and time is expected."),
        ("", "Choose a start time."),
    ],
)
def test_a_start_time_that_is_none_is_refused_beside_its_field(
    person: Browser, world: World, people: list[int], typed: str, said: str
) -> None:
    write(person)
    answer = person.post("/campaigns/1/start", "/campaigns/1/start", when="later", send_at=typed)
    assert answer.status_code == 400
    assert said in seen(answer.text)
    assert world.application.campaign(1).state is State.DRAFT
