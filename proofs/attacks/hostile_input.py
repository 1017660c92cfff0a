"""Whatever is in a field, it is refused with the field's name, never answered with an internal error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from proofs.attacked.client import Program
from proofs.attacked.house import House
from proofs.finding import Finding

VALUES: tuple[Any, ...] = (
    "\0", "a\0b", "\ud800", "x" * 60_000, "=?utf-8?q?a=0D=0ABcc:_x?= <n@x.example>", ".. <n@x.example>",
    "(" * 300, "\r\nBcc: x@x.example", "é" * 500, "a " * 10_000, -1, 2**63, 1e308, [], {}, [[[]]], None, True,
    {"a": {"b": {"c": []}}}, "../../etc/passwd", "{{ 7*7 }}", "'; DROP TABLE events; --", "\u202e", "\x1b[2J",
)  # fmt: skip
SAFE = (
    "/api/subscribers/query",
    "/api/queue/pause",
    "/api/queue/retry",
    "/api/queue/cancel",
    "/api/queue/send-all",
    "/api/policy",
)
"""Not asked with values that could be right, for they change what everybody's sending goes by."""


def attack(house: House) -> Iterator[Finding]:
    """Every field of every route's description, with every value, and the longest wait for an answer."""
    described = house.ok("GET", "/api/openapi.json")
    document = described_document(described.text)
    broken, asked, slowest = [], 0, 0.0
    program = house.everything
    for method, path, fields in bodies(document):
        if path.startswith(SAFE) or method == "DELETE":
            continue
        where = path.replace("{number}", "999999")
        for field in fields:
            for value in VALUES:
                answer = _ask(program, method, where, {field: value})
                asked, slowest = asked + 1, max(slowest, answer[1])
                if answer[0] in (0, 500):
                    broken.append(f"{method} {where} {field}={str(value)[:20]!r}: {answer[0]}")
    yield Finding("internal_errors", len(broken), f"of {asked} requests", 0, note="; ".join(broken[:5]))
    yield Finding("slowest_refusal", slowest, "seconds", 3.0)


def _ask(program: Program, method: str, path: str, given: Any) -> tuple[int, float]:
    while True:
        answer = program.ask(method, path, given)
        if answer.status != 429:
            return answer.status, answer.seconds


def described_document(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """(method, path, fields) of what takes a body."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            content = described.get("requestBody", {}).get("content", {})
            for shape in list(content.values())[:1]:
                schema = shape.get("schema", {})
                if "$ref" in schema:
                    schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
                yield method.upper(), path, list(schema.get("properties", {}))
