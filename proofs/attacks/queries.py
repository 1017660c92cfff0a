"""Heavy questions of some keep nobody else waiting, and what is asked again and again fills no disk."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode

import psycopg2

from proofs.attacked.client import FORM, Program
from proofs.attacked.house import House
from proofs.finding import Finding

AT_ONCE = 13
HEAVY = " OR ".join(f"subscribers.name ILIKE '%{'a%' * 40}{n}%'" for n in range(12))
PREVIEWS = 60
LONG_TEXT = 50_000
"""Characters that do not get shorter when they are packed."""


def attack(house: House) -> Iterator[Finding]:
    yield from _heavy_queries(house)
    yield _kept_answers(house)


def _heavy_queries(house: House) -> Iterator[Finding]:
    reading, other = house.program("read"), house.program("read", "send")
    with ThreadPoolExecutor(AT_ONCE) as asking:
        under_way = [asking.submit(_count, reading) for _ in range(AT_ONCE)]
        time.sleep(0.5)
        answers = [other.ask("GET", "/api/queue/stats") for _ in range(20)]
        statuses = [one.result() for one in under_way]
    kept_out = [answer for answer in answers if answer.status != 200]
    yield Finding("kept_out_by_queries", len(kept_out), "of 20", 0, note=str(kept_out[:1]))
    yield Finding(
        "others_during_queries", max(answer.seconds for answer in answers), "seconds, the slowest", 2.0,
        note=f"the queries: {sorted(status for status, _ in statuses)}",
    )  # fmt: skip
    yield Finding("longest_query", max(seconds for _, seconds in statuses), "seconds", 8.0)


def _count(program: Program) -> tuple[int, float]:
    answer = program.ask("GET", f"/api/subscribers?query={quote(HEAVY)}")
    return answer.status, answer.seconds


def _kept_answers(house: House) -> Finding:
    before = _size(house)
    writing = house.program("read", "write")
    for number in range(PREVIEWS):
        text = secrets.token_urlsafe(LONG_TEXT)
        body = urlencode({"template_type": "tx", "body": text}).encode()
        told = {"Content-Type": FORM, "Idempotency-Key": f"preview-{number}"}
        writing.ask("POST", "/api/templates/preview", body, **told)
    return Finding("kept_of_previews", (_size(house) - before) / 1e6, "MB", 1.0)


def _size(house: House) -> int:
    with psycopg2.connect(house.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('idempotency_keys')")
        (size,) = cursor.fetchone() or (0,)
    return int(size)
