"""People from a CSV file: good rows kept, bad ones named by line, nobody's no overridden."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import psycopg2
import pytest

from storage.audience.size import audience_size
from storage.people import directory, lists, writing
from storage.people.personal_data import DirectoryError
from storage.people.recipients_import import MOST_REFUSALS_KEPT, Options, Summary, import_csv

HEADER = "email,name,attributes\n"


@pytest.fixture
def cursor(database_url: str) -> Iterator[Any]:
    connection = psycopg2.connect(database_url)
    with connection.cursor() as opened:
        yield opened
    connection.close()


@pytest.fixture
def news(cursor: Any) -> int:
    return lists.create(cursor, {"name": "news"})


def bring(cursor: Any, text: str | bytes, list_number: int | None = None, **options: Any) -> Summary:
    data = text if isinstance(text, bytes) else text.encode()
    return import_csv(
        cursor, BytesIO(data), Options(lists=[] if list_number is None else [list_number], **options)
    )


def refusals(summary: Summary) -> dict[int, str]:
    return {refusal.line: refusal.reason for refusal in summary.refusals}


def person(cursor: Any, email: str) -> directory.Recipient:
    found = directory.find_recipient(cursor, email)
    assert found is not None
    return found


def status_on_list(cursor: Any, email: str) -> str:
    (subscription,) = directory.subscriptions_of(cursor, person(cursor, email).number)
    return subscription.status


def test_new_people_are_entered_and_subscribed(cursor: Any, news: int) -> None:
    text = HEADER + 'ada@example.com,Ada,"{""city"": ""Köln"", ""n"": 1.50}"\nbob@example.com,,\n'
    summary = bring(cursor, text, news)
    assert (summary.rows, summary.imported, summary.new, summary.existing) == (2, 2, 2, 0)
    assert (summary.refused, summary.subscribed) == (0, 2)
    ada = person(cursor, "ada@example.com")
    assert (ada.name, ada.attributes) == ("Ada", {"city": "Köln", "n": 1.5})
    assert audience_size(cursor, [news]) == 2


def test_a_byte_order_mark_windows_line_ends_and_another_order_of_columns_are_fine(cursor: Any) -> None:
    summary = bring(cursor, "\ufeffName,EMAIL\r\nAda,ada@example.com\r\n\r\nBob,bob@example.com")
    assert (summary.imported, summary.refused) == (2, 0)
    assert person(cursor, "ada@example.com").name == "Ada"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada@example.com,Ada,\n",
        "name,attributes\n",
        "email;name\n",
        "email,email\n",
        "email,a\n",
        "\xff\xfe",
    ],
)
def test_a_file_without_a_usable_header_is_refused_whole_and_not_quoted(cursor: Any, text: str) -> None:
    with pytest.raises(DirectoryError, match="email,name,attributes") as refused:
        bring(cursor, text.encode("latin-1"))
    assert "ada@" not in str(refused.value)


def test_bad_rows_are_named_by_line_and_reason_and_good_ones_kept(cursor: Any, news: int) -> None:
    rows = [
        b"good@example.com,Good,",  # 2
        b"no-at-sign,X,",
        b"two@@example.com,X,",
        b",X,",
        b"latin@example.com,Andr\xe9,",  # 6
        b"list@example.com,X,[1]",
        b"broken@example.com,X,{",
        b'many@example.com,X,{},"extra"',
        b'huge@example.com,X,"{""a"":1e999}"',  # 10
        b'nul@example.com,X,"{""a"":""\\u0000""}"',
        b'lone@example.com,X,"{""a"":""\\ud800""}"',
        b'quote@example.com,"X"y,',
        b"long@example.com," + b"n" * 501 + b",",  # 14
        b"verylong@example.com," + b"n" * 300_000 + b",",
        b'fat@example.com,X,"{""a"":""' + b"x" * 66_000 + b'""}"',
        b"last@example.com",
    ]
    summary = bring(cursor, HEADER.encode() + b"\n".join(rows), news)
    assert summary.rows == 16
    assert summary.imported == summary.subscribed == 2
    assert sorted(refusals(summary)) == list(range(3, 17))
    assert summary.refused == 14
    told = json.dumps(summary.as_dict())
    assert "example.com" not in told
    assert refusals(summary)[8] == "the attributes are not JSON"
    assert refusals(summary)[15] == "the line is longer than 256 KB"


def test_a_quotation_mark_that_is_never_closed_costs_one_row(cursor: Any) -> None:
    people = "".join(f"p{n}@example.com,P,\n" for n in range(300))
    summary = bring(cursor, HEADER + 'stray@example.com,"P,\n' + people)
    assert refusals(summary) == {2: "a quotation mark is not closed"}
    assert summary.imported == 300
    at_the_end = bring(cursor, HEADER + people + 'stray@example.com,"P,\n')
    assert refusals(at_the_end) == {302: "the quotation marks do not match"}


def test_attributes_may_run_over_several_lines(cursor: Any) -> None:
    summary = bring(cursor, HEADER + 'a@example.com,A,"{\n""k"":\n1}"\nbad,,\n')
    assert person(cursor, "a@example.com").attributes == {"k": 1}
    assert refusals(summary) == {5: "the e-mail address must have exactly one @"}


def test_of_several_rows_with_one_address_the_first_counts(cursor: Any, news: int) -> None:
    summary = bring(
        cursor, HEADER + "a@example.com,First,\nA@Example.COM,Second,\na@example.com,Third,\n", news
    )
    assert (summary.rows, summary.imported, summary.duplicates) == (3, 1, 2)
    assert person(cursor, "a@example.com").name == "First"


def test_existing_people_keep_their_name_unless_an_update_is_asked_for(cursor: Any, news: int) -> None:
    bring(cursor, HEADER + "a@example.com,Old,\nb@example.com,B,\n", news)
    again = HEADER + 'A@example.com,New,"{""k"":1}"\nb@example.com,B,\n'
    kept = bring(cursor, again, news)
    assert (kept.new, kept.existing, kept.updated, kept.subscribed) == (0, 2, 0, 0)
    assert person(cursor, "a@example.com").name == "Old"
    changed = bring(cursor, again, news, update=True)
    assert changed.updated == 1
    assert person(cursor, "a@example.com")[2:5] == ("a@example.com", "New", {"k": 1})


def test_new_people_are_numbered_in_the_order_of_the_file(cursor: Any) -> None:
    emails = [f"p{number}@example.com" for number in range(1, 61)]
    bring(cursor, "email\n" + "\n".join(emails))
    numbers = [person(cursor, email).number for email in emails]
    assert numbers == sorted(numbers)


def test_a_repeated_import_uses_up_no_numbers(cursor: Any) -> None:
    for _ in range(3):
        bring(cursor, HEADER + "a@example.com,,\nb@example.com,,\n")
    bring(cursor, HEADER + "c@example.com,,\n")
    assert person(cursor, "c@example.com").number == person(cursor, "a@example.com").number + 2


def test_blocklisted_people_stay_blocklisted_and_are_not_subscribed(cursor: Any, news: int) -> None:
    directory.add_recipient(cursor, "never@example.com", status="blocklisted")
    summary = bring(cursor, HEADER + "Never@example.com,N,\n", news, resubscribe=True, update=True)
    assert (summary.imported, summary.subscribed, summary.blocklisted) == (1, 0, 1)
    assert person(cursor, "never@example.com").status == "blocklisted"
    assert audience_size(cursor, [news]) == 0


def test_who_unsubscribed_stays_so_unless_resubscribing_is_asked_for(cursor: Any, news: int) -> None:
    text = HEADER + "a@example.com,,\n"
    bring(cursor, text, news)
    writing.unsubscribe(cursor, [person(cursor, "a@example.com").number], None)
    summary = bring(cursor, text, news, subscription="confirmed")
    assert (summary.subscribed, summary.unsubscribed) == (0, 1)
    assert status_on_list(cursor, "a@example.com") == "unsubscribed"
    summary = bring(cursor, text, news, resubscribe=True)
    assert (summary.subscribed, summary.unsubscribed) == (1, 0)
    assert status_on_list(cursor, "a@example.com") == "unconfirmed"


def test_a_confirmed_import_confirms_and_an_unconfirmed_one_takes_nothing_back(
    cursor: Any, news: int
) -> None:
    text = HEADER + "a@example.com,,\n"
    bring(cursor, text, news)
    assert bring(cursor, text, news, subscription="confirmed").subscribed == 1
    assert bring(cursor, text, news).subscribed == 0
    assert status_on_list(cursor, "a@example.com") == "confirmed"


def test_an_erased_person_who_comes_back_is_a_new_one(cursor: Any, news: int) -> None:
    bring(cursor, HEADER + "a@example.com,,\n", news)
    old = person(cursor, "a@example.com").number
    writing.erase(cursor, [old])
    assert bring(cursor, HEADER + "a@example.com,,\n", news).new == 1
    assert person(cursor, "a@example.com").number != old


def test_backslashes_and_quotation_marks_survive(cursor: Any) -> None:
    bring(cursor, HEADER + 'a@example.com,"A \\N ""B"" \\","{""k"":""\\\\d\\n\\t""}"\n')
    found = person(cursor, "a@example.com")
    assert (found.name, found.attributes) == ('A \\N "B" \\', {"k": "\\d\n\t"})


def test_addresses_beyond_ascii_are_taken_and_counted(cursor: Any) -> None:
    summary = bring(cursor, HEADER + "grüße@example.com,,\nuser@münchen.de,,\n")
    assert (summary.imported, summary.need_smtputf8) == (2, 1)


def test_refusals_are_counted_beyond_those_kept(cursor: Any) -> None:
    summary = bring(cursor, HEADER + "bad,,\n" * 1000 + "a@example.com,,\n")
    assert (summary.refused, len(summary.refusals)) == (1000, MOST_REFUSALS_KEPT)
    assert summary.imported == 1


class Counting:
    """A cursor, and how often something was asked of the database."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.round_trips = 0

    def __getattr__(self, name: str) -> Any:
        self.round_trips += name in ("execute", "executemany", "copy_expert")
        return getattr(self._cursor, name)


def test_a_hundred_thousand_people_come_in_at_once_and_progress_is_told(cursor: Any, news: int) -> None:
    """In as many statements as ten people, and in about ten times the time of ten thousand."""

    def seconds(numbers: range) -> tuple[float, int]:
        rows = "".join(f'person{n}@example.com,Person {n},"{{""n"": {n}}}"\n' for n in numbers)
        data, told, counting = (HEADER + rows).encode(), list[int](), Counting(cursor)
        started = time.monotonic()
        summary = import_csv(counting, BytesIO(data), Options(lists=[news]), told.append)
        took = time.monotonic() - started
        assert (summary.imported, summary.subscribed) == (len(numbers), len(numbers))
        assert sum(told) == len(data)
        return took, counting.round_trips

    (_, for_ten), (some, _), (many, for_many) = map(
        seconds, (range(10), range(10, 10_000), range(10_000, 100_000))
    )
    assert for_many <= for_ten
    assert many < 40 * some
