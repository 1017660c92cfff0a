"""Keys of programs: what is one, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.accounts import api_keys
from storage.accounts.api_keys import found, read
from storage.postgres.pool import Pool

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def key(pool: Pool) -> str:
    with pool.transaction() as cursor:
        made = api_keys.create(cursor, "n8n", ["read"], NOON + timedelta(days=1), "cli", NOON)
    assert made is not None
    return made[1]


def test_a_key_is_found_until_it_expires(pool: Pool, key: str) -> None:
    with pool.transaction() as cursor:
        assert found(cursor, key, NOON).name == "n8n"  # type: ignore[union-attr]
        assert found(cursor, key, NOON + timedelta(hours=23)) is not None
        assert found(cursor, key, NOON + timedelta(days=1)) is None


def test_a_revoked_key_is_not_found(pool: Pool, key: str) -> None:
    with pool.transaction() as cursor:
        number = api_keys.keys(cursor)[0].number
        assert api_keys.revoke(cursor, number, NOON) is not None
        assert api_keys.revoke(cursor, number, NOON) is None
        assert found(cursor, key, NOON) is None


def test_the_table_does_not_give_the_key_away(pool: Pool, key: str) -> None:
    with pool.transaction() as cursor:
        cursor.execute("SELECT t::text FROM api_keys t")
        assert key.split("_")[2] not in cursor.fetchone()[0]


def test_another_secret_with_the_same_public_part_is_not_found(pool: Pool, key: str) -> None:
    _, public_id, secret, _ = key.split("_")
    with pool.transaction() as cursor:
        assert found(cursor, api_keys.written(public_id, secret[::-1]), NOON) is None
        assert found(cursor, api_keys.written("0000000000", secret), NOON) is None


@given(st.data())
def test_one_wrong_character_is_told_without_the_database(data: st.DataObject) -> None:
    key = api_keys.written("a1B2c3D4e5", "x" * 43)
    at = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda each: each != key[at]))
    assert read(key) == ("a1B2c3D4e5", "x" * 43)
    assert read(key[:at] + other + key[at + 1 :]) is None


@given(st.text(max_size=200))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert read(text) is None


def test_use_is_remembered_to_the_minute(pool: Pool, key: str) -> None:
    with pool.transaction() as cursor:
        for seconds in (0, 30, 59):
            found(cursor, key, NOON + timedelta(seconds=seconds))
        assert api_keys.keys(cursor)[0].used_at == NOON
        found(cursor, key, NOON + timedelta(seconds=61))
        assert api_keys.keys(cursor)[0].used_at == NOON + timedelta(seconds=61)
