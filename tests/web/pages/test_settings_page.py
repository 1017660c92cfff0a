"""The settings: the week drawn, and the policy changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import Calendar, Window
from storage.postgres.pool import Pool
from tests.web.accounts.browsers import Browser
from tests.web.pages.reading import seen, told
from tests.web.world import World
from web.pages.settings.week import DAY, week

FORM: dict[str, Any] = {
    "version": "0",
    "timezone": "UTC",
    "opens": [""],
    "closes": [""],
    "weekdays": [str(day) for day in range(1, 8)],
    "holidays": "",
    "retry_first": "60s",
    "retry_cap": "4h",
    "retry_attempts": "10",
    "retry_hours": "72",
    "poll_interval": "5s",
    "batch": "5000",
    "strategy": "most_remaining",
    "first_suspension": "1m",
    "max_suspension": "1h",
}


def save(person: Browser, **changes: Any) -> Any:
    return person.post("/settings", "/settings", **{**FORM, **changes})


def test_saving_what_stands_changes_nothing(person: Browser, pool: Pool) -> None:
    assert save(person).status_code == 303
    assert told(pool, "policy.changed") == []


def test_what_differs_is_recorded_with_who_did_it(person: Browser, pool: Pool) -> None:
    answer = save(
        person,
        timezone="Europe/Berlin",
        opens=["08:00", "22:00", ""],
        closes=["20:00", "00:00", ""],
        weekdays=["1", "5"],
        holidays="2026-12-26, 2026-12-25\n",
        retry_first="5m",
        resend_unknown="1",
    )
    assert answer.status_code == 303
    (event,) = told(pool, "policy.changed")
    assert event["by"] == "local"
    assert event["changes"] == {
        "timezone": "Europe/Berlin",
        "windows": "08:00-20:00,22:00-24:00",
        "weekdays": [1, 5],
        "holidays": ["2026-12-25", "2026-12-26"],
        "retry_first": 300,
        "resend_unknown": True,
    }
    page = person.get("/settings").text
    assert "Settings saved" in page
    assert 'name="closes" value="00:00"' in page
    assert 'value="5m"' in page
    assert "Fri 25 Dec 2026, Sat 26 Dec 2026" in seen(page)


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(person: Browser, pool: Pool) -> None:
    answer = save(
        person, timezone="Mars/Base", opens=["08:00"], closes=[""], weekdays=[], retry_first="soon", batch="0"
    )
    assert answer.status_code == 400
    assert 'value="soon"' in answer.text
    assert "Enter both an opening and a closing time" in seen(answer.text)
    answer = save(person, timezone="Mars/Base", weekdays=[], retry_first="soon", holidays="Xmas", batch="0")
    text = seen(answer.text)
    for said in (
        "'Mars/Base' is not a time zone",
        "At least one weekday",
        "'soon' is not a whole number",
        "'Xmas' is not a date like 2026-12-25",
        "0 is not from 1",
    ):
        assert said in text
    assert "Xmas" in answer.text
    assert told(pool, "policy.changed") == []


def test_two_people_at_once_do_not_undo_each_other(person: Browser, world: World, pool: Pool) -> None:
    world.application.change_policy({"batch": 50}, by="user:ada")
    answer = save(person, batch="2000")
    assert answer.status_code == 400
    assert "Somebody changed the settings after" in seen(answer.text)
    assert 'name="version" value="1"' in answer.text
    assert 'value="2000"' in answer.text
    assert save(person, batch="2000", version="1").status_code == 303
    assert [event["changes"] for event in told(pool, "policy.changed")] == [{"batch": 50}, {"batch": 2000}]


def test_the_page_says_when_sending_opens_and_closes(person: Browser, world: World) -> None:
    assert "Sending is always open" in seen(person.get("/settings").text)
    world.application.change_policy({"windows": "08:00-20:00"}, by="test")
    assert "Sending is open until 2026-03-04 20:00 UTC" in seen(person.get("/settings").text)
    world.application.change_policy({"holidays": ["2026-03-04"]}, by="test")
    text = seen(person.get("/settings").text)
    assert "opens at 2026-03-05 08:00 UTC" in text
    assert "Wed 4 Mar closed (holiday: no window opens)" in text


def test_the_public_address_is_that_of_the_configuration_until_one_is_set(
    person: Browser, pool: Pool
) -> None:
    assert "https://post.example.com" in seen(person.get("/settings").text)
    assert save(person, public_address="https://links.example.com/").status_code == 303
    (event,) = told(pool, "policy.changed")
    assert event["changes"] == {"public_address": "https://links.example.com"}
    assert 'value="https://links.example.com"' in person.get("/settings").text
    refused = save(person, version="1", public_address="links.example.com")
    assert refused.status_code == 400
    assert "An address like https://post.example.com is expected" in seen(refused.text)


minutes = st.integers(0, DAY - 1)
windows = st.builds(Window, minutes, minutes | st.just(DAY)).filter(lambda window: window[0] != window[1])
MONDAY = date(2026, 3, 2)


@settings(deadline=None)
@given(
    st.lists(windows, max_size=3),
    st.frozensets(st.integers(1, 7), min_size=1),
    st.frozensets(st.sampled_from([MONDAY + timedelta(days=number) for number in range(-1, 7)]), max_size=2),
)
def test_the_week_shows_exactly_the_minutes_in_which_the_calendar_is_open(
    chosen: list[Window], weekdays: frozenset[int], holidays: frozenset[date]
) -> None:
    calendar = Calendar("UTC", tuple(chosen), weekdays, holidays)
    for day in week(calendar, MONDAY):
        midnight = datetime.combine(day.day, datetime.min.time(), UTC)
        for minute in range(0, DAY, 7):
            drawn = any(
                one.x - 0.001 <= 100 * minute / DAY < one.x + one.width - 0.001 for one in day.stretches
            )
            assert drawn == calendar.is_open(midnight + timedelta(minutes=minute)), (day.day, minute)


@pytest.mark.parametrize("wrong", [{"opens": ["25:00"], "closes": ["26:00"]}, {"strategy": "luck"}])
def test_what_no_browser_would_send_is_refused(person: Browser, pool: Pool, wrong: dict[str, Any]) -> None:
    assert save(person, **wrong).status_code == 400
    assert told(pool, "policy.changed") == []
