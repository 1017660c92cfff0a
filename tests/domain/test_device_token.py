"""Browsers that somebody has signed in from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.device_token import device, token

SET = datetime(2026, 3, 6, 8, 0, 0, 123456, tzinfo=UTC)
KEY, OLDER = b"k" * 32, b"o" * 32
NONCE = bytes(range(16))


def test_a_device_is_known_to_its_user_alone_and_until_the_next_password() -> None:
    made = token(KEY, 7, SET, NONCE)
    assert device([KEY], 7, SET, made) == made.partition(".")[0]
    assert device([KEY], 8, SET, made) is None
    assert device([KEY], 7, SET + timedelta(microseconds=1000), made) is None
    assert device([OLDER], 7, SET, made) is None


def test_a_key_that_was_replaced_is_still_known() -> None:
    assert device([KEY, OLDER], 7, SET, token(OLDER, 7, SET, NONCE)) is not None


@given(st.text(max_size=80))
def test_nothing_else_is_a_token(text: str) -> None:
    assert device([KEY], 7, SET, text) is None
