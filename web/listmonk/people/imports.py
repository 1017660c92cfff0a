"""Importing subscribers, as listmonk does it: one file at a time, in the background."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Annotated, Any, Literal

from flask import Blueprint, current_app, request
from pydantic import Field, ValidationError
from werkzeug.datastructures import FileStorage

from application.people.imports import LARGEST_FILE, Imports
from domain.people.statuses import SubscriptionStatus
from storage.people import imports, lists
from storage.people.imports import Import
from storage.people.recipients_import import Options
from web.http.access import actor
from web.http.contract import endpoint, refusal
from web.http.errors import Refusal
from web.http.services import reading, services
from web.http.shapes import Answer
from web.http.texts import check_json
from web.listmonk.shapes import Lenient, Numbers, refuse_field

blueprint = Blueprint("listmonk_imports", __name__)

STATES = {"running": "importing", "finished": "finished", "stopped": "none"}

UPLOAD = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["params", "file"],
            "properties": {
                "params": {"type": "string", "description": "The parameters as JSON."},
                "file": {"type": "string", "format": "binary", "description": "CSV, or a ZIP with one CSV."},
            },
        }
    }
}


MOST_IN_ZIP = 1000
IN_DIRECTORY = b"PK\x01\x02"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""As in listmonk. Others need as much memory as the ZIP says."""
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
)  # fmt: skip
"""What `zipfile` raises: beside BadZipFile whatever it comes upon; RuntimeError where it needs a password."""


class Parameters(Lenient):
    mode: Literal["subscribe", "blocklist"]
    delim: Annotated[str, Field(min_length=1, max_length=1)] = ","
    lists: Numbers | None = None
    subscription_status: SubscriptionStatus | Literal[""] | None = None
    overwrite: bool | None = None
    overwrite_userinfo: bool | None = None
    overwrite_subscription_status: bool | None = None

    def options(self) -> Options:
        is_blocklist = self.mode == "blocklist"
        return Options(
            lists=[] if is_blocklist else self.lists or [],
            subscription=self.subscription_status or SubscriptionStatus.UNCONFIRMED,
            update=bool(self.overwrite or self.overwrite_userinfo),
            resubscribe=bool(self.overwrite or self.overwrite_subscription_status),
            blocklist=is_blocklist,
            delimiter=self.delim,
            others=True,
        )


class ImportStatus(Answer):
    name: str
    total: int
    imported: int
    status: Literal["none", "importing", "stopping", "finished", "failed"]


@endpoint(blueprint, "GET", "/api/import/subscribers", needs="read", answer=ImportStatus)
def status() -> dict[str, Any]:
    """How far the import is, or how the last one ended"""
    last = latest()
    return described(last) if last else {"name": "", "total": 0, "imported": 0, "status": "none"}


@endpoint(
    blueprint, "POST", "/api/import/subscribers",
    needs="write", answer=ImportStatus, errors=(409,), largest_body=LARGEST_FILE, takes=UPLOAD,
    anew=lambda _number: status(),
)  # fmt: skip
def begin() -> dict[str, Any]:
    """Import subscribers from a CSV file

    It goes on in the background, all of the file or nothing. 409 while another import runs.
    """
    options = parameters().options()
    if not options.blocklist and not options.lists:
        raise refuse_field("lists", "at least one list is needed")
    with reading() as cursor:
        if unknown := lists.missing(cursor, options.lists):
            raise refuse_field("lists", f"there is no list {', '.join(map(str, unknown))}")
    file = request.files.get("file")
    if file is None or not file.filename:
        raise refuse_field("file", "a file is needed")
    with csv_of(file) as (stream, count):
        number = Imports(services()).begin(stream, file.filename, options, by=actor())
    rows()[number] = max(0, count - 1)
    return status()


@endpoint(blueprint, "GET", "/api/import/subscribers/logs", needs="read", answer=str)
def logs() -> str:
    """What the import did, as text

    Refused rows by their line, the first hundred.
    """
    last = latest()
    return "".join(f"{line}\n" for line in log_lines(last)) if last else ""


@endpoint(blueprint, "DELETE", "/api/import/subscribers", needs="write", answer=ImportStatus)
def stop() -> dict[str, Any]:
    """Stop the import

    Nothing of it is kept, unless it was nearly through. One that has ended is shown no longer.
    """
    last = latest()
    if last is not None and last.state == "running":
        Imports(services()).stop(last.number)
    elif last is not None:
        current_app.extensions["postledger.import_dismissed"] = last.number
    return status()


def parameters() -> Parameters:
    given = request.form.get("params", "")
    check_json(given, "params")
    try:
        return Parameters.model_validate_json(given)
    except ValidationError as error:
        raise refusal(error, "body") from None


@contextmanager
def csv_of(file: FileStorage) -> Iterator[tuple[IO[bytes], int]]:
    """The file itself, or the one CSV file in a ZIP, and its lines. Raises Refusal."""
    with ExitStack() as opened:
        try:
            stream: IO[bytes] = file.stream
            if zipfile.is_zipfile(stream):
                packed = opened.enter_context(zip_of(stream))
                stream = opened.enter_context(packed.open(one_csv(packed)))
            stream.seek(0)
            count = lines_in(stream)
        except UNREADABLE:
            raise refuse_field("file", "the ZIP cannot be read") from None
        yield stream, count


def zip_of(stream: IO[bytes]) -> zipfile.ZipFile:
    """Each file in it is told of in its directory, and each of those takes memory. Raises Refusal."""
    stream.seek(0)
    told = 0
    while piece := stream.read(1 << 20):
        told += piece.count(IN_DIRECTORY)
        if told > MOST_IN_ZIP:
            raise refuse_field("file", f"a ZIP has at most {MOST_IN_ZIP} files in it")
    return zipfile.ZipFile(stream)


def one_csv(packed: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Raises Refusal."""
    names = [one for one in packed.infolist() if one.filename.lower().endswith(".csv")]
    if len(names) != 1:
        raise refuse_field("file", f"a ZIP has one CSV file in it, not {len(names) or 'none'}")
    if names[0].file_size > LARGEST_FILE:
        raise refuse_field("file", f"a file has at most {LARGEST_FILE // 2**20} MB")
    if names[0].compress_type not in METHODS:
        raise refuse_field("file", "the file in the ZIP is packed in another way than Deflate")
    return names[0]


def lines_in(stream: IO[bytes]) -> int:
    """And back to its beginning. Raises Refusal."""
    lines, read, last = 0, 0, b""
    while piece := stream.read(1 << 20):
        read += len(piece)
        if read > LARGEST_FILE:
            raise Refusal(413, "The request body is too large.")
        lines += piece.count(b"\n")
        last = piece[-1:]
    stream.seek(0)
    return lines + (last not in (b"", b"\n"))


def latest() -> Import | None:
    """The last import, unless somebody wants to see it no longer."""
    with reading() as cursor:
        found = next(iter(imports.newest(cursor, 1)), None)
    if found is None or found.number == current_app.extensions.get("postledger.import_dismissed"):
        return None
    return found


def rows() -> dict[int, int]:
    """How many rows the files have whose import began here."""
    found: dict[int, int] = current_app.extensions.setdefault("postledger.import_rows", {})
    return found


def described(last: Import) -> dict[str, Any]:
    """`imported` of one that runs is how many rows were read, since all of them come in at its end."""
    summary = last.summary or {}
    total = summary.get("rows") or rows().get(last.number, 0)
    done = total * last.done // last.size if last.size and last.state == "running" else 0
    state = STATES.get(last.state, "failed")
    return {
        "name": last.file,
        "total": total,
        "imported": summary.get("imported", done),
        "status": "stopping" if state == "importing" and last.stop_wanted else state,
    }


def log_lines(last: Import) -> Iterator[str]:
    at = f"{last.begun_at:%Y/%m/%d %H:%M:%S}"
    yield f"{at} processing '{last.file}'"
    if last.summary is not None:
        for refusal_ in last.summary["refusals"]:
            yield f"{at} skipping line {refusal_['line']}: {refusal_['reason']}"
    if last.ended_at is None:
        return
    at = f"{last.ended_at:%Y/%m/%d %H:%M:%S}"
    if last.summary is not None:
        yield f"{at} imported {last.summary['imported']}, refused {last.summary['refused']}"
        yield f"{at} imported finished"
    else:
        yield f"{at} {last.error or 'stop request received'}"
