"""Whatever a CSV file holds: what was written well is read as it was, and nothing breaks the reader."""

from __future__ import annotations

import csv
import json
from io import BytesIO, StringIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.addresses.email_address import wrong_with
from storage.people.recipients_csv import Person, RowRefusal, people

HEADER = b"email,name,attributes\n"

printable = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=50).map(str.strip)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | printable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(printable, inner, max_size=3),
    max_leaves=10,
)
person = st.tuples(printable, st.dictionaries(printable, values, max_size=4), st.sampled_from([None, 1]))


def read(data: bytes) -> list[Person | RowRefusal]:
    return list(people(BytesIO(data), lambda _bytes: None))


@given(st.lists(person, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_good_rows_come_back_as_they_were_written(
    rows: list[tuple[str, dict[str, Any], int | None]], end: str
) -> None:
    text = StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(["email", "name", "attributes"])
    for number, (name, attributes, indent) in enumerate(rows):
        writer.writerow([f"p{number}@example.com", name, json.dumps(attributes, indent=indent)])
    found = read(text.getvalue().encode())
    assert [one.email for one in found if isinstance(one, Person)] == [
        f"p{n}@example.com" for n in range(len(rows))
    ]
    for one, (name, attributes, _) in zip(found, rows, strict=True):
        assert isinstance(one, Person)
        assert (one.name, json.loads(one.attributes)) == (name, attributes)


@given(st.binary(max_size=300) | st.text(alphabet='a@.,"\n\r{}[]: \x00é', max_size=300).map(str.encode))
def test_no_bytes_break_the_reader_and_only_what_is_safe_gets_through(data: bytes) -> None:
    for one in read(HEADER + data):
        if isinstance(one, Person):
            assert wrong_with(one.email) is None
            assert not set(one.name + one.attributes) & set("\r\n\t\x00")
            assert isinstance(json.loads(one.attributes), dict)
        else:
            assert one.line >= 2
            assert one.reason


@given(st.text(alphabet='a@.,"\n\r{}[]: ', max_size=200), st.integers(0, 5))
def test_a_bad_piece_costs_no_good_row_around_it(piece: str, before: int) -> None:
    good = "".join(f"good{n}@example.com,Good,\n" for n in range(before))
    after = "".join(f"after{n}@example.com,After,\n" for n in range(250))
    found = read(HEADER + f"{good}{piece}\n{after}".encode())
    emails = {one.email for one in found if isinstance(one, Person)}
    assert {f"good{n}@example.com" for n in range(before)} <= emails
    assert {f"after{n}@example.com" for n in range(1, 250)} <= emails
