"""The sending policy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.calendar import EVERY_DAY, Calendar, Window
from domain.errors import Refused
from domain.policy import PolicyChanged, SendingPolicy


def changed(policy: SendingPolicy, **changes: Any) -> SendingPolicy:
    fact = policy.change(changes, by="test")
    assert fact is not None
    return policy.apply(fact)


def test_without_a_change_it_is_always_open_in_utc() -> None:
    assert SendingPolicy().calendar == Calendar("UTC", (), EVERY_DAY)


def test_changes_add_up() -> None:
    policy = changed(SendingPolicy(), timezone="Europe/Berlin", windows="08:00-20:00")
    policy = changed(policy, weekdays=[5, 1, 5], batch=50)
    assert policy.calendar == Calendar("Europe/Berlin", (Window(480, 1200),), frozenset({1, 5}))
    assert (policy.batch, policy.version) == (50, 2)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://post.example.com/", "https://post.example.com"),
        (" https://example.com/letters ", "https://example.com/letters"),
        ("http://[2001:db8::1]:8025", "http://[2001:db8::1]:8025"),
    ],
)
def test_links_lead_to_a_web_address(given: str, kept: str) -> None:
    policy = changed(SendingPolicy(), public_address=given)
    assert policy.public_address == kept
    assert changed(policy, public_address="").public_address == ""


def test_on_holidays_nothing_is_begun() -> None:
    policy = changed(SendingPolicy(), holidays=["2026-12-26", "2026-12-25", "2026-12-25"])
    assert policy.holidays == ("2026-12-25", "2026-12-26")
    assert not policy.calendar.is_open(datetime(2026, 12, 25, 12, tzinfo=UTC))
    assert policy.calendar.opens_at(datetime(2026, 12, 25, tzinfo=UTC)) == datetime(2026, 12, 27, tzinfo=UTC)
    assert policy.change({"holidays": ["2026-12-25", "2026-12-26"]}, by="test") is None
    assert changed(policy, holidays=[]).calendar == SendingPolicy().calendar


def test_only_what_differs_is_recorded() -> None:
    policy = changed(SendingPolicy(), batch=50, weekdays=[1, 2])
    fact = policy.change({"batch": 50, "weekdays": [2, 1], "poll_interval": 1}, by="test")
    assert fact is not None
    assert fact.changes == {"poll_interval": 1}
    assert policy.change({"batch": 50}, by="test") is None


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("timezone", "Mars", "is not a time zone"),
        ("windows", "8-20", "not a range like"),
        ("weekdays", [], "at least one weekday"),
        ("weekdays", [0], "from 1 to 7"),
        ("weekdays", [8], "from 1 to 7"),
        ("weekdays", "12", "at least one weekday"),
        ("holidays", "2026-12-25", "a list of dates"),
        ("holidays", ["25.12."], "not a date like"),
        ("holidays", ["1026-12-25"], "too far away"),
        ("holidays", ["2026-12-25"] * 501, "at most 500"),
        ("retry_first", 0, "from 1"),
        ("retry_attempts", 101, "to 100"),
        ("retry_hours", 0, "from 1"),
        ("poll_interval", 0.5, "not a whole number"),
        ("batch", 0, "from 1"),
        ("strategy", "random", "most_remaining, weighted_round_robin"),
        ("resend_unknown", "no", "neither true nor false"),
        ("queue_paused", 1, "neither true nor false"),
        ("public_address", "post.example.com", "an address like https://"),
        ("public_address", "ftp://post.example.com", "an address like https://"),
        ("public_address", "https://me@post.example.com", "an address like https://"),
        ("public_address", "https://post.example.com/?a=b", "an address like https://"),
        ("public_address", "https://post.example.com/<b>", "an address like https://"),
        ("public_address", "https://[post", "an address like https://"),
        ("public_address", "https://post.example.com\r\nBcc: a", "an address like https://|control"),
        ("version", 5, "no such field"),
        ("colour", "red", "no such field"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(field: str, value: object, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        SendingPolicy().change({field: value}, by="test")
    assert refused.value.field == field


def test_a_first_delay_above_the_cap_is_refused_even_when_one_was_set_before() -> None:
    with pytest.raises(Refused, match=r"retry_first \(600\) is above retry_cap \(300\)"):
        SendingPolicy().change({"retry_first": 600, "retry_cap": 300}, by="test")
    with pytest.raises(Refused, match=r"retry_first \(60\) is above retry_cap \(30\)"):
        SendingPolicy().change({"retry_cap": 30}, by="test")
    with pytest.raises(Refused) as refused:
        SendingPolicy().change({"first_suspension": 7200}, by="test")
    assert refused.value.field == "first_suspension"


def test_a_field_of_a_later_version_is_passed_over() -> None:
    fact = SendingPolicy().change({"batch": 5}, by="test")
    assert fact is not None
    later = PolicyChanged(
        originator_id=fact.originator_id, originator_version=1, by="test", changes={"batch": 5, "warm_up": 1}
    )
    assert SendingPolicy().apply(later).batch == 5
