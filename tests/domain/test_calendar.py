"""Sending hours against a minute-by-minute look at the wall clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.calendar import Calendar, Window, both, parse_timezone, parse_windows
from domain.errors import Refused

MINUTE = timedelta(minutes=1)
NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"
# Around both changes of the clock, a leap day and a day like any other.
DAYS = {
    NEW_YORK: [date(2026, 3, 8), date(2026, 11, 1), date(2028, 2, 29), date(2026, 6, 10)],
    BERLIN: [date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29)],
    LORD_HOWE: [date(2026, 4, 5), date(2026, 10, 4)],
    "Africa/Cairo": [date(2026, 4, 24), date(2026, 10, 29)],
    "UTC": [date(2026, 12, 31)],
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class WallClock:
    """Every minute of five days with what the clock on the wall shows."""

    def __init__(self, timezone: str, day: date) -> None:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2.5)
        zone = ZoneInfo(timezone)
        self.instants = [start + MINUTE * number for number in range(5 * 24 * 60)]
        self.walls = [instant.astimezone(zone).replace(tzinfo=None) for instant in self.instants]

    def first_at_or_past(self, wall: datetime) -> datetime | None:
        """When the clock first shows it; when it is jumped over, the instant of the jump."""
        reached = (index for index, shown in enumerate(self.walls) if shown >= wall)
        return next((self.instants[index] for index in reached), None)

    def last_at_or_past(self, wall: datetime) -> datetime | None:
        """When the clock last comes to it."""
        later = [index for index, shown in enumerate(self.walls) if shown <= wall]
        if not later or later[-1] + 1 == len(self.walls):
            return None
        index = later[-1] if self.walls[later[-1]] == wall else later[-1] + 1
        return self.instants[index]

    def open_minutes(self, calendar: Calendar) -> set[datetime]:
        return {
            instant
            for opens, closes in self._stretches(calendar)
            for instant in self.instants
            if opens <= instant < closes
        }

    def _stretches(self, calendar: Calendar) -> list[tuple[datetime, datetime]]:
        stretches = []
        for day in sorted({wall.date() for wall in self.walls}):
            if day.isoweekday() in calendar.weekdays and day not in calendar.holidays:
                midnight = datetime(day.year, day.month, day.day)
                for window in calendar.windows or [Window(0, 1440)]:
                    night = 1440 if window.closes <= window.opens else 0
                    opens = self.first_at_or_past(midnight + MINUTE * window.opens)
                    closes = self.last_at_or_past(midnight + MINUTE * (window.closes + night))
                    if opens and closes:
                        stretches.append((opens, closes))
        return stretches


WALL_CLOCKS = {(zone, day): WallClock(zone, day) for zone, days in DAYS.items() for day in days}

minutes = st.integers(0, 1439) | st.sampled_from([0, 60, 90, 120, 135, 150, 180])
windows = st.builds(Window, minutes, minutes | st.just(1440)).filter(lambda window: window[0] != window[1])


@st.composite
def calendars(draw: st.DrawFn, place: tuple[str, date]) -> Calendar:
    timezone, day = place
    weekdays = draw(st.frozensets(st.integers(1, 7), min_size=1))
    nearby = [day + timedelta(distance) for distance in range(-4, 5)]
    holidays = draw(st.frozensets(st.sampled_from(nearby), max_size=3))
    return Calendar(timezone, tuple(draw(st.lists(windows, max_size=3))), weekdays, holidays)


def middle_of(clock: WallClock) -> list[datetime]:
    """Two and a half days, so that what is open or closes at their ends is seen in full."""
    return clock.instants[24 * 60 : -36 * 60]


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(sorted(WALL_CLOCKS)))
def test_is_open_in_exactly_the_minutes_that_the_wall_clock_allows(
    data: st.DataObject, place: tuple[str, date]
) -> None:
    calendar, clock = data.draw(calendars(place)), WALL_CLOCKS[place]
    expected = clock.open_minutes(calendar)
    for instant in middle_of(clock)[::7]:
        assert calendar.is_open(instant) == (instant in expected), instant
        assert calendar.is_open(instant + timedelta(seconds=59.999)) == (instant in expected), instant


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(sorted(WALL_CLOCKS)))
def test_opens_and_closes_at_the_next_change(data: st.DataObject, place: tuple[str, date]) -> None:
    calendar, clock = data.draw(calendars(place)), WALL_CLOCKS[place]
    expected = clock.open_minutes(calendar)
    reach = clock.instants[-24 * 60]
    at = data.draw(st.sampled_from(middle_of(clock)))
    later = [instant for instant in clock.instants if at <= instant < reach]
    opening = next((instant for instant in later if instant in expected), None)
    opens, closes = calendar.opens_at(at), calendar.closes_at(at)
    if opening is None:
        assert opens is None or opens >= reach
    else:
        assert opens == opening
    closing = next((instant for instant in later if instant not in expected), None)
    if closing is None:
        assert closes is None or closes >= reach
    else:
        assert closes == closing


@settings(deadline=None, max_examples=40)
@given(st.data(), st.sampled_from(sorted(WALL_CLOCKS)))
def test_both_are_open_when_each_is(data: st.DataObject, place: tuple[str, date]) -> None:
    one, other = data.draw(calendars(place)), data.draw(calendars(place))
    clock = WALL_CLOCKS[place]
    expected = clock.open_minutes(one) & clock.open_minutes(other)
    hours, reach = both(one, other), clock.instants[-24 * 60]
    at = data.draw(st.sampled_from(middle_of(clock)))
    assert hours.is_open(at) == (at in expected)
    later = [instant for instant in clock.instants if at <= instant < reach]
    opening = next((instant for instant in later if instant in expected), None)
    opens, closes = hours.opens_at(at), hours.closes_at(at)
    assert opens == opening or (opening is None and (opens is None or opens >= reach))
    closing = next((instant for instant in later if instant not in expected), None)
    assert closes == closing or (closing is None and (closes is None or closes >= reach))


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(sorted(WALL_CLOCKS)))
@example(None, ("Africa/Cairo", date(2026, 4, 24)))
def test_midnight_after_is_where_the_local_date_changes(
    data: st.DataObject | None, place: tuple[str, date]
) -> None:
    calendar, clock = Calendar(place[0]), WALL_CLOCKS[place]
    instants = middle_of(clock)
    at = instants[0] if data is None else data.draw(st.sampled_from(instants))
    midnight = calendar.midnight_after(at)
    dates = dict(zip(clock.instants, (wall.date() for wall in clock.walls), strict=True))
    assert calendar.local_date(at) == dates[at]
    assert midnight == next(instant for instant in clock.instants if dates[instant] > dates[at])


def test_an_overnight_window_belongs_to_the_weekday_on_which_it_opens() -> None:
    friday_nights = Calendar.of("UTC", "22:00-06:00", frozenset({5}))
    assert not friday_nights.is_open(utc("2026-11-20T05:59"))  # Friday morning
    assert friday_nights.is_open(utc("2026-11-20T22:00"))
    assert friday_nights.is_open(utc("2026-11-21T05:59"))
    assert friday_nights.closes_at(utc("2026-11-20T23:00")) == utc("2026-11-21T06:00")
    assert friday_nights.opens_at(utc("2026-11-21T06:00")) == utc("2026-11-27T22:00")


def test_days_of_23_and_25_hours_are_open_that_long_less_the_night() -> None:
    calendar = Calendar.of(NEW_YORK, "00:00-24:00")
    spring, autumn = utc("2026-03-08T05:00"), utc("2026-11-01T04:00")
    assert calendar.midnight_after(spring) - spring == timedelta(hours=23)
    assert calendar.midnight_after(autumn) - autumn == timedelta(hours=25)


def test_a_time_that_is_jumped_over_means_the_jump() -> None:
    calendar = Calendar.of(NEW_YORK, "02:30-04:00", frozenset({7}))
    assert calendar.opens_at(utc("2026-03-08T00:00")) == utc("2026-03-08T07:00")
    assert calendar.closes_at(utc("2026-03-08T07:00")) == utc("2026-03-08T08:00")


def test_a_window_that_the_clock_jumps_over_whole_waits_for_the_next_day() -> None:
    calendar = Calendar.of(NEW_YORK, "02:15-02:45", frozenset({7}))
    assert calendar.opens_at(utc("2026-03-08T00:00")) == utc("2026-03-15T06:15")


def test_of_a_time_that_occurs_twice_opening_takes_the_first_and_closing_the_last() -> None:
    calendar = Calendar.of(NEW_YORK, "01:15-01:45", frozenset({7}))
    assert calendar.opens_at(utc("2026-11-01T00:00")) == utc("2026-11-01T05:15")
    assert calendar.closes_at(utc("2026-11-01T05:15")) == utc("2026-11-01T06:45")


def test_the_night_before_a_holiday_ends_as_usual_and_none_opens_on_it() -> None:
    nights = Calendar.of("UTC", "22:00-06:00", holidays=frozenset({date(2026, 12, 25)}))
    assert nights.closes_at(utc("2026-12-24T23:00")) == utc("2026-12-25T06:00")
    assert not nights.is_open(utc("2026-12-25T22:00"))
    assert nights.opens_at(utc("2026-12-25T06:00")) == utc("2026-12-26T22:00")


def test_without_windows_a_holiday_is_closed_from_midnight_to_midnight() -> None:
    calendar = Calendar.of(BERLIN, holidays=frozenset({date(2026, 12, 25)}))
    assert calendar.closes_at(utc("2026-12-24T12:00")) == utc("2026-12-24T23:00")
    assert calendar.opens_at(utc("2026-12-24T23:00")) == utc("2026-12-25T23:00")
    assert calendar.closes_at(utc("2026-12-26T12:00")) is None


def test_sending_goes_on_after_weeks_of_holidays() -> None:
    closed = frozenset(date(2026, 7, 1) + timedelta(days) for days in range(92))
    calendar = Calendar.of("UTC", "08:00-20:00", frozenset({1, 2, 3, 4, 5}), closed)
    assert calendar.opens_at(utc("2026-07-01T12:00")) == utc("2026-10-01T08:00")
    afternoons = both(calendar, Calendar.of("UTC", "14:00-16:00"))
    assert afternoons.opens_at(utc("2026-07-01T12:00")) == utc("2026-10-01T14:00")
    assert both(afternoons, Calendar.of("UTC", "09:00-10:00")).opens_at(utc("2026-07-01T12:00")) is None


def test_a_holiday_far_away_does_not_close_what_is_always_open() -> None:
    calendar = Calendar.of("UTC", holidays=frozenset({date(2026, 12, 25)}))
    assert calendar.closes_at(utc("2026-03-01T12:00")) is None
    assert calendar.opens_at(utc("2026-03-01T12:00")) == utc("2026-03-01T12:00")


def test_adjoining_windows_are_one_stretch() -> None:
    calendar = Calendar.of(BERLIN, "08:00-12:00,12:00-20:00")
    assert calendar.closes_at(utc("2026-11-24T08:00")) == utc("2026-11-24T19:00")
    nights = Calendar.of(BERLIN, "20:00-24:00,00:00-04:00", frozenset({1, 2}))
    assert nights.closes_at(utc("2026-11-23T20:00")) == utc("2026-11-24T03:00")


def test_without_windows_it_never_closes() -> None:
    assert Calendar.of(NEW_YORK).closes_at(utc("2026-03-08T05:00")) is None
    assert Calendar.of(NEW_YORK, "00:00-12:00,12:00-24:00").closes_at(utc("2026-03-08T05:00")) is None
    assert both(Calendar.of("UTC"), Calendar.of("UTC")).closes_at(utc("2026-03-08T05:00")) is None


def test_without_windows_a_weekday_that_is_left_out_is_closed() -> None:
    calendar = Calendar.of("UTC", "", frozenset({1, 2, 3, 4, 5}))
    assert calendar.closes_at(utc("2026-11-27T12:00")) == utc("2026-11-28T00:00")
    assert calendar.opens_at(utc("2026-11-28T12:00")) == utc("2026-11-30T00:00")


def test_hours_that_never_meet_never_open() -> None:
    hours = both(Calendar.of("UTC", "08:00-12:00"), Calendar.of("UTC", "14:00-16:00"))
    assert hours.opens_at(utc("2026-11-24T08:00")) is None


def test_a_closed_calendar_closes_at_once() -> None:
    assert Calendar.of("UTC", "08:00-12:00").closes_at(utc("2026-11-24T13:00")) == utc("2026-11-24T13:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("08:00-20:00", (Window(480, 1200),)),
        (" 08:00 - 20:00 , 22:00-06:00", (Window(480, 1200), Window(1320, 360))),
        ("00:00-24:00", (Window(0, 1440),)),
        ("22:00-00:00", (Window(1320, 0),)),
    ],
)
def test_windows_are_read(text: str, expected: tuple[Window, ...]) -> None:
    assert parse_windows(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("8:00-20:00", "is not a range like"),
        ("08:00", "is not a range like"),
        ("08:00-20:00,", "is not a range like"),
        ("08:00-20:00;22:00-06:00", "is not a range like"),
        ("٠٨:00-20:00", "is not a range like"),
        ("08:60-20:00", "no such time"),
        ("08:00-24:01", "no such time"),
        ("24:00-06:00", "no such time"),
        ("25:00-26:00", "no such time"),
        ("08:00-08:00", "opens and closes at the same time"),
    ],
)
def test_windows_that_make_no_sense_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        parse_windows(text, "window")
    assert refused.value.field == "window"


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "Europe", "a\x00b"])
def test_unknown_time_zones_are_refused(name: str) -> None:
    with pytest.raises(Refused, match="is not a time zone"):
        parse_timezone(name)
