"""People and lists: who may be mailed, and how each way of saying no is honoured."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from domain.errors import Refused
from storage.audience.size import audience_size
from storage.people import directory, lists, writing
from storage.people.personal_data import DirectoryError


@pytest.fixture
def cursor(database_url: str) -> Iterator[Any]:
    connection = psycopg2.connect(database_url)
    with connection.cursor() as opened:
        yield opened
    connection.close()


@pytest.fixture
def news(cursor: Any) -> int:
    return lists.create(cursor, {"name": "news"})


@pytest.fixture
def ada(cursor: Any, news: int) -> int:
    number = directory.add_recipient(cursor, "Ada@example.com", "Ada", {"city": "London"})
    writing.subscribe(cursor, [number], [news], "unconfirmed")
    return number


def reason(cursor: Any, recipient: int, *lists: int) -> str | None:
    (addressee,) = directory.mailable(cursor, list(lists), [recipient])
    return addressee.reason


def test_a_single_opt_in_subscriber_is_mailable_with_all_that_a_message_needs(
    cursor: Any, news: int, ada: int
) -> None:
    (addressee,) = directory.mailable(cursor, [news], [ada])
    assert addressee.number == ada
    assert (addressee.email, addressee.name) == ("Ada@example.com", "Ada")
    assert addressee.attributes == {"city": "London"}
    assert addressee.reason is None
    assert len(str(addressee.uuid)) == 36


def test_a_double_opt_in_list_mails_only_who_confirmed(cursor: Any) -> None:
    club = lists.create(cursor, {"name": "club", "optin": "double"})
    number = directory.add_recipient(cursor, "bob@example.com")
    writing.subscribe(cursor, [number], [club], "unconfirmed")
    assert reason(cursor, number, club) == "unsubscribed"
    assert audience_size(cursor, [club]) == 0
    writing.subscribe(cursor, [number], [club], "confirmed")
    assert reason(cursor, number, club) is None
    assert audience_size(cursor, [club]) == 1


def test_a_confirmed_subscription_is_not_taken_back_by_an_unconfirmed_one(cursor: Any, news: int) -> None:
    number = directory.add_recipient(cursor, "bob@example.com")
    writing.subscribe(cursor, [number], [news], "confirmed")
    writing.subscribe(cursor, [number], [news], "unconfirmed", again=False)
    assert [s.status for s in directory.subscriptions_of(cursor, number)] == ["confirmed"]


def test_one_list_that_is_still_subscribed_is_enough(cursor: Any, news: int, ada: int) -> None:
    offers = lists.create(cursor, {"name": "offers"})
    writing.subscribe(cursor, [ada], [offers], "unconfirmed")
    assert writing.unsubscribe(cursor, [ada], [news]) == {ada: [news]}
    assert reason(cursor, ada, news, offers) is None
    assert reason(cursor, ada, news) == "unsubscribed"
    assert writing.unsubscribe(cursor, [ada], None) == {ada: [offers]}
    assert reason(cursor, ada, news, offers) == "unsubscribed"


def test_people_on_two_lists_count_once(cursor: Any, news: int, ada: int) -> None:
    offers = lists.create(cursor, {"name": "offers"})
    writing.subscribe(cursor, [ada], [offers], "unconfirmed")
    assert audience_size(cursor, [news, offers]) == 1


def test_unsubscribing_twice_is_no_error(cursor: Any, news: int, ada: int) -> None:
    assert writing.unsubscribe(cursor, [ada], None) == {ada: [news]}
    assert writing.unsubscribe(cursor, [ada], None) == {}


@pytest.mark.parametrize("status", ["blocklisted", "disabled"])
def test_who_is_not_enabled_is_not_mailed(cursor: Any, news: int, ada: int, status: str) -> None:
    assert writing.set_status(cursor, [ada], status) == [ada]
    assert reason(cursor, ada, news) == status
    assert audience_size(cursor, [news]) == 0


def test_an_erased_person_leaves_a_number_and_nothing_else(cursor: Any, news: int, ada: int) -> None:
    assert writing.erase(cursor, [ada]) == [ada]
    (addressee,) = directory.mailable(cursor, [news], [ada])
    assert addressee.reason == "erased"
    assert (addressee.email, addressee.name, addressee.attributes) == (None, "", {})
    assert directory.subscriptions_of(cursor, ada) == []
    assert writing.erase(cursor, [ada]) == []
    assert writing.set_status(cursor, [ada], "blocklisted") == []
    assert directory.add_recipient(cursor, "ada@example.com") != ada


def test_a_number_that_nobody_has_counts_as_erased_and_keeps_its_place(
    cursor: Any, news: int, ada: int
) -> None:
    rows = directory.mailable(cursor, [news], [999_999, ada, 999_998])
    assert [(row.number, row.reason) for row in rows] == [
        (999_999, "erased"),
        (ada, None),
        (999_998, "erased"),
    ]


def test_addresses_are_one_whatever_their_case(cursor: Any, ada: int) -> None:
    with pytest.raises(DirectoryError, match="already"):
        directory.add_recipient(cursor, "ADA@EXAMPLE.COM")
    assert directory.find_recipient(cursor, "ada@example.COM").number == ada  # type: ignore[union-attr]


def test_a_person_is_found_by_number_uuid_and_address(cursor: Any, ada: int) -> None:
    by_number = directory.find_recipient(cursor, str(ada))
    assert by_number is not None
    assert directory.find_recipient(cursor, by_number.uuid) == by_number
    assert directory.find_recipient(cursor, "aDa@example.com") == by_number
    for nobody in ("99999", "9" * 10, "x", "\x00", "00000000-0000-0000-0000-000000000000"):
        assert directory.find_recipient(cursor, nobody) is None


def test_pages_of_people_follow_each_other_and_filter(cursor: Any, news: int) -> None:
    numbers = [directory.add_recipient(cursor, f"p{n}@example.com") for n in range(5)]
    for number in numbers[:3]:
        writing.subscribe(cursor, [number], [news], "unconfirmed")
    writing.set_status(cursor, [numbers[4]], "blocklisted")
    first = directory.recipients(cursor, limit=3)
    rest = directory.recipients(cursor, after=first[-1].number)
    assert [person.number for person in first + rest] == numbers
    assert [person.number for person in directory.recipients(cursor, list_number=news)] == numbers[:3]
    assert [person.number for person in directory.recipients(cursor, status="blocklisted")] == numbers[4:]


def test_lists_are_found_by_name_before_number_and_counted(cursor: Any, news: int, ada: int) -> None:
    named_like_a_number = lists.create(cursor, {"name": str(news)})
    assert directory.find_list(cursor, str(news)).number == named_like_a_number  # type: ignore[union-attr]
    assert directory.find_list(cursor, "neWs") is None
    assert {row.name: count for row, count in directory.lists(cursor)} == {"news": 1, str(news): 0}
    with pytest.raises(DirectoryError, match="exists"):
        lists.create(cursor, {"name": "news"})


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "a\x00"])
def test_a_list_needs_a_name_that_can_be_shown(cursor: Any, name: str) -> None:
    with pytest.raises(Refused):
        lists.create(cursor, {"name": name})


@pytest.mark.parametrize(
    "field",
    [
        {"email": "no at"},
        {"email": "a@example.com\r\nBcc: b@example.com"},
        {"name": "x" * 501},
        {"name": "Ada\r\nBcc: b@example.com"},
        {"attributes": {"a": "x" * 70_000}},
        {"attributes": {"a": "\x00"}},
        {"attributes": {"a": float("inf")}},
        {"attributes": ["not", "an", "object"]},
        {"status": "erased"},
    ],
)
def test_what_is_out_of_bounds_is_refused(cursor: Any, field: dict[str, Any]) -> None:
    with pytest.raises(DirectoryError):
        directory.add_recipient(cursor, **{"email": "ok@example.com", **field})
    assert directory.recipients(cursor) == []


def test_attributes_that_only_look_like_a_nul_are_kept(cursor: Any) -> None:
    number = directory.add_recipient(cursor, "a@example.com", attributes={"path": "C:\\u0000"})
    assert directory.find_recipient(cursor, str(number)).attributes == {"path": "C:\\u0000"}  # type: ignore[union-attr]


def test_whoever_stops_being_mailable_is_announced_at_commit(database_url: str) -> None:
    listener, writer = psycopg2.connect(database_url), psycopg2.connect(database_url)
    try:
        listener.autocommit = True
        listener.cursor().execute("LISTEN postledger_directory")
        cursor = writer.cursor()
        news = lists.create(cursor, {"name": "news"})
        people = [directory.add_recipient(cursor, f"p{n}@example.com") for n in range(4)]
        writing.subscribe(cursor, people, [news], "confirmed")
        writing.set_status(cursor, people[:1], "blocklisted")
        writing.unsubscribe(cursor, people[1:2], [news])
        writing.erase(cursor, people[2:3])
        (moved,) = writing.locked(cursor, people[3:]).values()
        writing.write(cursor, moved, {"email": "q3@example.com", "name": "", "attributes": {}})
        new = [
            directory.add_recipient(cursor, f"{s}@example.com", status=s) for s in ("blocklisted", "disabled")
        ]
        writer.commit()
        while len(listener.notifies) < 6:
            assert select.select([listener], [], [], 10)[0], "no notification within ten seconds"
            listener.poll()
        assert [int(note.payload) for note in listener.notifies] == [*people, *new]
    finally:
        listener.close()
        writer.close()
