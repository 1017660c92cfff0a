"""Connections that are held and say nothing, or half of something, keep nobody else out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

from proofs.attacked.client import ask
from proofs.attacked.house import House
from proofs.finding import Finding

HELD = 200
HALVES = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 5000\r\n\r\nname=",
    b"",
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nna",
)
ASKED = 10
PATIENCE = 5.0


def attack(house: House) -> Iterator[Finding]:
    with ExitStack() as stack:
        for number in range(HELD):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", house.port), timeout=5))
            held.sendall(HALVES[number % len(HALVES)])
        answers = [ask(house.port, "GET", "/sign-in", patience=PATIENCE) for _ in range(ASKED)]
    unanswered = [answer for answer in answers if answer.status != 200]
    yield Finding("unanswered_while_held", len(unanswered), f"of {ASKED}", 0, note=str(unanswered[:1]))
    yield Finding(
        "page_while_held", max(answer.seconds for answer in answers), "seconds, the slowest", 2.0,
        note=f"{HELD} half requests",
    )  # fmt: skip
