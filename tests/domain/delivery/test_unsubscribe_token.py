from __future__ import annotations

import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.delivery.unsubscribe_token import read, token

KEY = b"a key of 32 bytes for the tests!"
numbers = st.integers(0, 2**32 - 1)


@given(campaign=numbers, recipient=numbers)
def test_a_token_leads_back_to_its_delivery(campaign: int, recipient: int) -> None:
    assert read([KEY], token(KEY, campaign, recipient)) == (campaign, recipient)


@given(campaign=numbers, recipient=numbers)
def test_a_token_is_url_safe_and_always_the_same(campaign: int, recipient: int) -> None:
    made = token(KEY, campaign, recipient)
    assert re.fullmatch("[A-Za-z0-9_-]{32}", made)
    assert made == token(KEY, campaign, recipient)


def test_a_token_made_with_an_old_key_is_read_while_that_key_is_in_force() -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    made = token(old, 7, 123)
    assert read([new, old], made) == (7, 123)
    assert read([new], made) is None
    assert read([], made) is None


@given(position=st.integers(0, 31), replacement=st.sampled_from("ABCXYZabcxyz0189-_"))
def test_a_token_with_any_character_changed_is_refused(position: int, replacement: str) -> None:
    made = token(KEY, 7, 123)
    changed = made[:position] + replacement + made[position + 1 :]
    assert (read([KEY], changed) is None) == (changed != made)


@given(st.text(max_size=60))
def test_what_is_no_token_is_refused(text: str) -> None:
    assert read([KEY], text) is None


@pytest.mark.parametrize("text", ["", "A" * 31, "A" * 33, "A" * 32 + "\n", "é" * 32, "=" * 32])
def test_a_malformed_token_is_refused(text: str) -> None:
    assert read([KEY], text) is None


def test_neighbours_look_nothing_like_each_other() -> None:
    """Whoever gets two tokens learns nothing of how far apart the recipients are."""
    first, second = token(KEY, 7, 123), token(KEY, 7, 124)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        token(b"short", 1, 1)
