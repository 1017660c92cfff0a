"""Bodies and files that are made to take much time or memory, or to break what reads them, are refused."""

from __future__ import annotations

import io
import json
import random
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from proofs.attacked.client import HttpAnswer
from proofs.attacked.house import House
from proofs.attacked.watch import Watch
from proofs.finding import Finding
from tests.installation import processes_of

NAME = "K" * 32_000
BODIES = tuple(
    f'{{"{NAME}":[{(inner + ",") * (31_000 // (len(inner) + 1))}"\\b"]}}'.encode()
    for inner in ('"\\b"', "1", '{"a":"\\b"}', "[[]]")
)
TIMES = 10
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DAMAGED = 100
CSV = b"email,name,attributes\n" + b"".join(b"damaged%d@attacked.example,P,{}\n" % n for n in range(50))
OPEN = b'x",' + b"ab," * 10_000 + b'"""\n'
IMPORTING = 30.0
"""Seconds after which nobody waits for an import any more."""
PATH = "/api/import/subscribers"


def attack(house: House) -> Iterator[Finding]:
    before = _memory(house)
    with Watch(house.port) as watch:
        yield _long_names(house)
        yield _damaged_files(house)
        yield _open_quotation_marks(house)
    yield Finding("health_meanwhile", watch.longest, "seconds, the longest", 1.5)
    yield Finding("memory_of_the_web", _memory(house) - before, "MB more than before", 80)


def _long_names(house: House) -> Finding:
    reading = house.program("read")
    answers = [
        reading.ask("POST", "/api/forecast", body, **{"Content-Type": "application/json"})
        for body in BODIES * TIMES
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


def _memory(house: House) -> float:
    """MB that the processes which serve pages have had at most so far."""
    pages = [number for number, command in processes_of(house.folder).items() if " web" in command]
    told = [Path(f"/proc/{number}/status").read_text() for number in pages]
    return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in told) / 1024  # type: ignore[index]
