"""Whatever is in a field of a body that is right otherwise, it is taken or refused, never answered with an
internal error; what is no text is refused before anything is looked up. Nor do bodies and files that are made
for it take much time or memory."""

from __future__ import annotations

import io
import json
import random
import re
import time
import zipfile
from collections.abc import Iterator
from typing import Any

from proofs.attacked.client import HttpAnswer, Program
from proofs.attacked.house import House
from proofs.attacked.watch import Watch
from proofs.finding import Finding
from tests.attacks.access.examples import example, resolved

VALUES: tuple[Any, ...] = (
    "\0", "a\0b", "\ud800", "x" * 60_000, "=?utf-8?q?a=0D=0ABcc:_x?= <n@x.example>", ".. <n@x.example>",
    "(" * 300, "\r\nBcc: x@x.example", "é" * 500, "a " * 10_000, -1, 2**63, 1e308, [], {}, [[[]]], None, True,
    {"a": {"b": {"c": []}}}, ["a\0b"], {"a\0b": 1}, {"a": ["\x1b[2J"]},
    "../../etc/passwd", "{{ 7*7 }}", "'; DROP TABLE events; --", "\u202e", "\x1b[2J",
)  # fmt: skip
REFUSED_AT_ONCE = (400, 405, 415)
"""Before anything is looked up: 404 and 409 would say that it had been let in."""
HARMFUL = (
    "/api/subscribers/query",
    "/api/queue",
    "/api/policy",
    "/api/servers",
)
"""Asked with nothing that could be right, for they change what everybody's sending goes by."""
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
NAME = "K" * 32_000
LONG_NAMES = tuple(
    f'{{"{NAME}":[{(inner + ",") * (31_000 // (len(inner) + 1))}"\\b"]}}'.encode()
    for inner in ('"\\b"', "1", '{"a":"\\b"}', "[[]]")
)
EACH = 10
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DAMAGED = 100
CSV = b"email,name,attributes\n" + b"".join(b"damaged%d@attacked.example,P,{}\n" % n for n in range(50))
OPEN = b'x",' + b"ab," * 10_000 + b'"""\n'
IMPORTING = 30.0
"""Seconds after which nobody waits for an import any more."""
PATH = "/api/import/subscribers"


def attack(house: House) -> Iterator[Finding]:
    yield from _odd_fields(house)
    with Watch(house) as watch:
        yield _long_names(house)
        yield _damaged_files(house)
        yield _open_quotation_marks(house)
    yield Finding("health_during_input", watch.longest, "seconds, the longest", 1.5)
    yield Finding("memory_of_input", watch.memory, "MB more than before", 60)


def _odd_fields(house: House) -> Iterator[Finding]:
    """Every field of every operation's description, with every value, in a body that is right otherwise."""
    document = json.loads(house.ok("GET", "/api/openapi.json").text)
    broken, let_in, asked, slowest = [], [], 0, 0.0
    program = house.everything
    for method, path, right, fields in bodies(document):
        where = path.replace("{number}", "999999")
        for field in fields:
            for value in VALUES:
                is_no_text = has_controls(value)
                if path.startswith(HARMFUL) and not is_no_text:
                    continue
                answer = _ask(program, method, where, {**right, field: value})
                asked, slowest = asked + 1, max(slowest, answer.seconds)
                what = f"{method} {where} {field}={str(value)[:20]!r}: {answer.status}"
                if answer.status in (0, 500):
                    broken.append(what)
                if is_no_text and answer.status not in REFUSED_AT_ONCE:
                    let_in.append(what)
    yield Finding("internal_errors", len(broken), f"of {asked} requests", 0, note="; ".join(broken[:5]))
    yield Finding("no_texts_let_in", len(let_in), f"of {asked} requests", 0, note="; ".join(let_in[:5]))
    yield Finding("slowest_refusal", slowest, "seconds", 3.0)


def has_controls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_controls(one) for one in (*value, *value.values()))
    if isinstance(value, list):
        return any(has_controls(one) for one in value)
    return isinstance(value, str) and CONTROLS.search(value) is not None


def _ask(program: Program, method: str, path: str, given: Any) -> HttpAnswer:
    while (answer := program.ask(method, path, given)).status == 429:
        time.sleep(0.05)
    return answer


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], list[str]]]:
    """(method, path, a body that is right, its fields) of what takes JSON."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            content = described.get("requestBody", {}).get("content", {})
            schema = resolved(document, content.get("application/json", {}).get("schema", {}))
            if schema:
                yield method.upper(), path, example(document, schema), list(schema.get("properties", {}))


def _long_names(house: House) -> Finding:
    reading = house.program("read")
    answers = [
        reading.ask("POST", "/api/forecast", body, **{"Content-Type": "application/json"})
        for body in LONG_NAMES * EACH
    ]
    wrong = [str(answer) for answer in answers if answer.status != 400]
    slowest = max(answer.seconds for answer in answers) if not wrong else float("inf")
    return Finding("long_names", slowest, "seconds, the slowest", 2.0, note="; ".join(wrong[:3]))


def _damaged_files(house: House) -> Finding:
    chance, broken = random.Random(7), []
    for method in METHODS:
        whole = _packed(method, CSV)
        for _ in range(DAMAGED):
            file = bytearray(whole)
            for _ in range(chance.choice([1, 2, 8])):
                file[chance.randrange(len(file))] = chance.randrange(256)
            answer = _upload(house, bytes(file))
            if answer.status in (0, 500):
                broken.append(str(answer))
    return Finding(
        "damaged_files", len(broken), f"of {DAMAGED * len(METHODS)}", 0, note="; ".join(broken[:3])
    )


def _open_quotation_marks(house: House) -> Finding:
    """How long an import goes on that is read again and again."""
    _ended(house)
    began = time.monotonic()
    answer = _upload(house, _packed(zipfile.ZIP_DEFLATED, b'email,name,attributes\n"' + OPEN * 400))
    state = _ended(house) if answer.status == 200 else str(answer)
    seconds = time.monotonic() - began if state == "failed" else float("inf")
    return Finding("open_quotation_marks", seconds, "seconds", 10.0, note=state)


def _ended(house: House) -> str:
    until = time.monotonic() + IMPORTING
    while (state := house.ok("GET", PATH).data["status"]) == "importing" and time.monotonic() < until:
        time.sleep(0.1)
    return str(state)


def _packed(method: int, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("people.csv", content)
    return file.getvalue()


def _upload(house: House, file: bytes) -> HttpAnswer:
    boundary = "a-line-that-is-in-no-file"
    params = json.dumps({"mode": "blocklist"})
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{params}\r\n--{boundary}\r\n'
        'Content-Disposition: form-data; name="file"; filename="people.zip"\r\n\r\n'
    ).encode() + file + f"\r\n--{boundary}--\r\n".encode()  # fmt: skip
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    while (answer := house.everything.ask("POST", PATH, body, **kind)).status == 429:
        time.sleep(0.05)
    return answer
