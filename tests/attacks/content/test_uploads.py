"""Files that somebody made to break what reads them are refused with a reason, and change nothing."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections import Counter

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from storage.people.personal_data import DirectoryError
from storage.people.recipients_csv import LONGEST_RECORD, Person, RowRefusal, people
from tests.attacks.content.growth import peak
from tests.installation import wait_until
from tests.web.world import World
from web.listmonk.people.imports import MOST_IN_ZIP

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
CSV = b"email,name,attributes\n" + b"".join(b"p%d@example.com,P %d,{}\n" % (n, n) for n in range(40))
DAMAGED = 150
HEADER = b"email,name,attributes\n"


def upload(client: FlaskClient, file: bytes, name: str = "people.zip") -> TestResponse:
    params = json.dumps({"mode": "blocklist"})
    return client.post(
        "/api/import/subscribers", data={"params": params, "file": (io.BytesIO(file), name)},
        content_type="multipart/form-data",
    )  # fmt: skip


def packed(method: int, files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def damaged(chance: random.Random, file: bytes) -> bytes:
    """With some bytes changed, or a piece of it gone."""
    found = bytearray(file)
    for _ in range(chance.choice([1, 1, 2, 8])):
        found[chance.randrange(len(found))] = chance.choice([0, 0x7F, 0xFF, chance.randrange(256)])
    if chance.random() < 0.1:
        at = chance.randrange(len(found))
        del found[at : at + chance.randrange(1, 40)]
    return bytes(found)


@pytest.mark.parametrize("kind", [*METHODS, "plain"])
def test_a_damaged_file_is_taken_or_refused(client: FlaskClient, world: World, kind: str) -> None:
    whole = CSV if kind == "plain" else packed(METHODS[kind], {"people.csv": CSV})
    chance = random.Random(kind)
    statuses = Counter(upload(client, damaged(chance, whole)).status_code for _ in range(DAMAGED))
    assert set(statuses) <= {200, 400, 409, 413}, statuses
    assert kind == "plain" or statuses[400] > 10
    wait_until(lambda: client.get("/api/import/subscribers").json["data"]["status"] != "importing")


@pytest.mark.parametrize("kind", ["bzip2", "lzma"])
def test_what_takes_as_much_memory_as_it_says_is_not_unpacked(client: FlaskClient, kind: str) -> None:
    answer = upload(client, packed(METHODS[kind], {"people.csv": CSV}))
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (400, "/file")
    assert "another way than Deflate" in answer.json["message"]


def test_a_zip_of_a_great_many_files_is_not_looked_through(client: FlaskClient) -> None:
    files = {"people.csv": CSV, **{str(number): b"" for number in range(MOST_IN_ZIP)}}
    answer = upload(client, packed(zipfile.ZIP_STORED, files))
    assert answer.status_code == 400
    assert "at most 1000 files" in answer.json["message"]


class Read(io.BytesIO):
    """A file, and how many lines of it were read."""

    lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self.lines += 1
        return super().readline(size)


def rows(file: bytes) -> list[Person | RowRefusal]:
    return list(people(io.BytesIO(file), lambda _: None))


def test_a_file_full_of_open_quotation_marks_is_not_read_two_hundred_times() -> None:
    opening = b'x",' + b"ab," * 10_000 + b'"""\n'
    file = Read(HEADER + b'"' + opening * 400)
    with pytest.raises(DirectoryError, match="too many quotation marks are not closed"):
        list(people(file, lambda _: None))
    assert file.lines < 2 * LONGEST_RECORD


def test_a_record_over_many_long_lines_is_not_kept_whole() -> None:
    opening = b'x",' + b"ab," * 80_000 + b'"""\n'
    text = (HEADER + b'"' + opening * 20).decode()
    assert peak(lambda given: rows(given.encode()))(text) < 40e6


def test_one_open_quotation_mark_now_and_then_costs_its_row_alone() -> None:
    good = b"".join(b"p%d@example.com,P,%s\n" % (n, b" " * 20_000) for n in range(2 * LONGEST_RECORD))
    found = rows(HEADER + (b'stray@example.com,"P,\n' + good) * 5)
    assert sum(isinstance(one, RowRefusal) for one in found) == 5
    assert sum(isinstance(one, Person) for one in found) == 10 * LONGEST_RECORD


def test_a_small_file_may_be_all_broken() -> None:
    found = rows(HEADER + b'x@example.com,"P\n,\n' * 500)
    assert len(found) > 500
