"""The rows of a CSV file of people, one at a time, each either acceptable or refused with its line."""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from domain.addresses.email_address import needs_smtputf8
from storage.people.personal_data import DirectoryError, checked_attributes, checked_email, checked_name

COLUMNS = ("email", "name", "attributes")
LONGEST_LINE = 256 * 1024  # bytes; 64 KB of attributes with every quotation mark doubled fit
LONGEST_RECORD = 200  # lines that a quoted field may run over, of LONGEST_LINE all together
MOST_AGAIN = 4  # times the size of what was read, that may be read again
AGAIN_ANYWAY = 4 * 1024 * 1024  # characters, however small the file is


# Where a cell may begin for a spreadsheet that separates with semicolons or tabs, whatever the quotes
# say, and behind blanks, which some trim; and what it takes for the beginning of a formula (OWASP, CSV
# injection), or of our apostrophe.
_BEGINS = r"(^|[;\t\r\n])((?:[^\S\t\r\n]|[\"\u200b\ufeff])*)"
_MEANT = r"(?=['=+\-@\t\r\uff1d\uff0b\uff0d\uff20])"
_UNGUARDED = re.compile(_BEGINS + _MEANT)
_GUARDED = re.compile(_BEGINS + "'" + _MEANT)


def guarded(cell: str) -> str:
    """With an apostrophe before what a spreadsheet would take for a formula."""
    return _UNGUARDED.sub(r"\1\2'", cell)


def unguarded(cell: str) -> str:
    """As it was before `guarded`."""
    return _GUARDED.sub(r"\1\2", cell)


class Person(NamedTuple):
    """`attributes` is compact JSON."""

    line: int
    email: str
    name: str
    attributes: str
    needs_smtputf8: bool


class RowRefusal(NamedTuple):
    line: int
    reason: str


class _UnreadableError(Exception):
    pass


Record = tuple[int, list[str] | str]  # the line it begins on; its fields, or why it cannot be read


def people(
    file: IO[bytes], progress: Callable[[int], None], delimiter: str = ",", *, others: bool = False
) -> Iterator[Person | RowRefusal]:
    """`others` lets columns pass that mean nothing to us. Raises DirectoryError for an unusable header, and
    later where so many quotation marks are not closed that to tell the rows apart takes too long."""
    records = _records(_Lines(file, progress), delimiter)
    return _people(records, _order_of_columns(next(records, None), others))


def _people(records: Iterator[Record], order: list[str]) -> Iterator[Person | RowRefusal]:
    for line, fields in records:
        if isinstance(fields, str):
            yield RowRefusal(line, fields)
        elif fields:
            yield _person(line, fields, order)


def _order_of_columns(header: Record | None, others: bool) -> list[str]:
    names = header[1] if header else []
    columns = [name.strip().lower() for name in names] if isinstance(names, list) else []
    known = [name for name in columns if name in COLUMNS] if others else columns
    if "email" not in known or len(set(known)) < len(known) or not set(known) <= set(COLUMNS):
        # The first line is not quoted: in a file without a header it holds a person.
        raise DirectoryError(
            "the first line must name the columns, with commas between: email,name,attributes"
        )
    return columns


def _person(line: int, fields: list[str], order: list[str]) -> Person | RowRefusal:
    if len(fields) > len(order):
        return RowRefusal(line, f"{len(fields)} fields where the header has {len(order)}")
    values = {column: unguarded(field) for column, field in zip(order, fields, strict=False)}
    try:
        email = checked_email(values["email"].strip() if fields else "")
        name = checked_name(values.get("name", ""))
        attributes = _attributes(values.get("attributes", "").strip())
    except DirectoryError as error:
        return RowRefusal(line, str(error))
    except KeyError:
        return RowRefusal(line, "the e-mail address is empty")
    return Person(line, email, name, attributes, needs_smtputf8(email))


def _attributes(text: str) -> str:
    if text in ("", "{}"):
        return "{}"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DirectoryError("the attributes are not JSON") from None
    return checked_attributes(value)


class _Lines:
    """Physical lines with their numbers. The lines of a record that turns out to be unreadable, all but
    its first, can be put back, so that one stray quotation mark costs one row; but not so often that a file
    full of them is read two hundred times."""

    def __init__(self, file: IO[bytes], progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress
        self._number = 0
        self._length = self._read_once = self._read_again = 0
        self._again: deque[tuple[int, str | None]] = deque()
        self._record: list[tuple[int, str | None]] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self._record) == LONGEST_RECORD or self._length > LONGEST_LINE:
            raise _UnreadableError("a quotation mark is not closed")
        number, line = self._again.popleft() if self._again else self._read()
        self._record.append((number, line))
        if line is None:
            raise _UnreadableError(f"the line is longer than {LONGEST_LINE // 1024} KB")
        self._length += len(line)
        return line

    def begin(self) -> None:
        self._record = []
        self._length = 0

    def begun_at(self) -> int:
        return self._record[0][0] if self._record else self._number

    def put_back_all_but_first(self) -> None:
        """Raises DirectoryError."""
        self._again.extendleft(reversed(self._record[1:]))
        self._read_again += sum(len(line or "") for _, line in self._record[1:])
        if self._read_again > AGAIN_ANYWAY + MOST_AGAIN * self._read_once:
            raise DirectoryError(
                f"up to line {self.begun_at()} too many quotation marks are not closed to read on"
            )

    def _read(self) -> tuple[int, str | None]:
        raw = self._file.readline(LONGEST_LINE + 1)
        if not raw:
            raise StopIteration
        self._number += 1
        self._read_once += len(raw)
        self._progress(len(raw))
        too_long = len(raw) > LONGEST_LINE
        while len(raw) > LONGEST_LINE and not raw.endswith(b"\n"):
            raw = self._file.readline(LONGEST_LINE + 1)
            self._progress(len(raw))
        if self._number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        # Bytes that are not UTF-8 become surrogates, which no field may hold: that refuses the row alone.
        return self._number, None if too_long else raw.decode("utf-8", "surrogateescape")


def _records(lines: _Lines, delimiter: str) -> Iterator[Record]:
    reader: Any = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            fields: list[str] | str = next(reader)
        except StopIteration:
            return
        except (csv.Error, _UnreadableError) as error:
            fields = _reason(error)
            lines.put_back_all_but_first()
        yield lines.begun_at(), fields


def _reason(error: Exception) -> str:
    if isinstance(error, _UnreadableError):
        return str(error)
    if "field limit" in str(error):
        return f"a field is longer than {csv.field_size_limit() // 1024} KB"
    return "the quotation marks do not match"
