"""A process that renders and does nothing else: it has no database, no key, no network and no files, little
memory and little time, and gives way to all other processes. Whoever asks it kills it when it takes long.

Questions and answers are JSON, each behind its length in four bytes.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from application.rendering import questions
from mail.template.render import reason_of

LENGTH = struct.Struct(">I")
LARGEST = 16_000_000
"""Bytes of a question or an answer."""
MEMORY = 700_000_000
CPU_SECONDS = 3
"""For one question."""
NICE = 5
"""Enough to leave most of a busy machine to those who send, and to answer while they do."""

QUESTIONS: dict[str, Callable[..., Any]] = {
    "markdown": questions.markdown,
    "message": questions.message,
    "preview": questions.preview,
    "problems": questions.problems,
    "transactional_problems": questions.transactional_problems,
}


def main() -> None:
    os.nice(NICE)
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))
    questions.warm_up()
    answer_all(sys.stdin.buffer, sys.stdout.buffer)


def answer_all(asked: BinaryIO, told: BinaryIO) -> None:
    """Until nobody asks any more."""
    while head := asked.read(LENGTH.size):
        (size,) = LENGTH.unpack(head)
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        told.write(answered(asked.read(size)))
        told.flush()


def answered(asked: bytes) -> bytes:
    try:
        name, arguments = json.loads(asked)
        answer: dict[str, Any] = {"answer": QUESTIONS[name](**arguments)}
    except Exception as error:  # noqa: BLE001 - whoever asked tells it to whoever wrote what was rendered
        answer = {"error": reason_of(error)}
    text = json.dumps(answer).encode()
    if len(text) > LARGEST:
        text = json.dumps({"error": "html: the result is too large"}).encode()
    return LENGTH.pack(len(text)) + text


if __name__ == "__main__":
    main()
