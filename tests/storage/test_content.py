from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from typing import Any

import psycopg2
import pytest

from storage.content import LARGEST_TEXT, TextNotKept, TextTooLarge, keep, text_of, texts_of


@pytest.fixture
def cursor(database_url: str) -> Iterator[Any]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        yield cursor


def test_a_text_is_found_again_by_its_sha_256(cursor: Any) -> None:
    text = "Grüße, {{ subscriber.name }} 👋\r\n.\n"
    assert keep(cursor, text) == sha256(text.encode()).hexdigest()
    assert text_of(cursor, sha256(text.encode()).hexdigest()) == text


def test_the_same_text_is_kept_once(cursor: Any) -> None:
    assert keep(cursor, "twice") == keep(cursor, "twice")
    cursor.execute("SELECT count(*) FROM content")
    assert cursor.fetchone() == (1,)


def test_several_texts_come_at_once(cursor: Any) -> None:
    first, second = keep(cursor, "one"), keep(cursor, "")
    assert texts_of(cursor, [first, second, first]) == {first: "one", second: ""}
    assert texts_of(cursor, []) == {}


def test_a_text_that_was_never_kept_is_named_by_its_hash(cursor: Any) -> None:
    missing = sha256(b"never").hexdigest()
    with pytest.raises(TextNotKept, match=missing):
        texts_of(cursor, [keep(cursor, "kept"), missing])


def test_a_text_over_the_limit_is_refused_and_one_at_the_limit_is_not(cursor: Any) -> None:
    assert text_of(cursor, keep(cursor, "ä" * (LARGEST_TEXT // 2))) == "ä" * (LARGEST_TEXT // 2)
    with pytest.raises(TextTooLarge, match="1,000,001"):
        keep(cursor, "x" * (LARGEST_TEXT + 1))


@pytest.mark.parametrize(
    "change", ["UPDATE content SET body = body", "DELETE FROM content", "TRUNCATE content"]
)
def test_a_kept_text_can_be_neither_changed_nor_removed(cursor: Any, change: str) -> None:
    keep(cursor, "history")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="history is never changed"):
        cursor.execute(change)
