"""Whatever is in a field of a body that is right otherwise, it is taken or refused, never answered with an
internal error; what is no text is refused before anything is looked up."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from proofs.attacked.client import HttpAnswer, Program
from proofs.attacked.house import House
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


def attack(house: House) -> Iterator[Finding]:
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
