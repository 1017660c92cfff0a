"""What leaves by a file or a terminal does nothing to the program that shows it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from proofs.attacked.house import House
from proofs.finding import Finding
from tests.installation import wait_until

FORMULAS = (
    " =1+1",
    "\u00a0@SUM(1)",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "a;=1+1",
    "\r=1",
)
SIGNED = "'+tag@attacked.example"
ESCAPES = "\x1b[31m\x9b31m\x07\x1b]0;owned\x07"


def attack(house: House) -> Iterator[Finding]:
    people = [(f"formula{n}@attacked.example", f"{text}") for n, text in enumerate(FORMULAS)]
    number = house.people("Formulas", [*people, (SIGNED, "Signed")])
    browser = house.browser("otto")
    told = browser.get(f"/lists/{number}/export.csv").text
    cells = [cell for row in csv.reader(io.StringIO(told)) for cell in row]
    split = [part for cell in cells for part in cell.split(";")]
    live = [part for part in split if part.lstrip()[:1] in ("=", "+", "-", "@")]
    yield Finding("live_formulas", len(live), "cells", 0, note=repr(live[:2]))
    house.command("recipients", "import", "-", "--list", "Again", said=told, expects=None)
    found = house.ok("GET", "/api/subscribers?query=subscribers.email%20LIKE%20'%25tag@attacked.example'")
    yield Finding("people_after_export", found.data["total"], "persons of one", 1)
    yield from _escapes(house)


def _escapes(house: House) -> Iterator[Finding]:
    """From the reply on the wire, by way of the log, to the terminal."""
    rules = (
        SinkRule("rcpt", reply=f"550 5.1.1 {ESCAPES}no", recipient="refused"),
        SinkRule("rcpt", reply=f"451 4.3.0 {ESCAPES}later", recipient="deferred"),
        SinkRule("ehlo", reply=f"550 5.7.1 {ESCAPES}no", times=1),
    )
    with Sink(rules=rules) as sink:
        house.made("/api/servers", {
            "name": "hostile", "host": "127.0.0.1", "port": sink.port, "tls_type": "none",
            "from_email": "news@hostile.example.com",
        })  # fmt: skip
        said = [house.shown("server", "test", "hostile")]
        people = house.people(
            "Escapes", [(f"{name}@attacked.example", "R") for name in ("refused", "deferred")]
        )
        campaign = house.draft("Escapes", lists=[people], messenger="hostile", priority="high")
        house.ok("PUT", f"/api/campaigns/{campaign}/status", {"status": "running"})
        wait_until(lambda: house.items(campaign, "failed") and house.deferred(campaign))
    failed, deferred = house.items(campaign, "failed")[0]["id"], house.deferred(campaign)[0]["id"]
    said += [
        house.shown(*command, *form) for form in ((), ("--json",)) for command in _telling(failed, deferred)
    ]
    said += [house.shown("lists", "list")]
    controls = [character for text in said for character in text if _steers(character)]
    yield Finding("terminal_escapes", len(controls), "control characters", 0, note=repr(controls[:5]))
    telling = sum("owned" in text for text in said)
    yield Finding("replies_at_the_terminal", telling, "commands that show one", 4, "at least")


def _telling(failed: int, deferred: int) -> list[tuple[str, ...]]:
    return [
        ("delivery", "show", str(failed)),
        ("delivery", "show", str(deferred)),
        ("queue", "items", "--status", "failed"),
        ("queue", "why", str(deferred)),
        ("log", "tail"),
        ("server", "list"),
        ("doctor",),
    ]


def _steers(character: str) -> bool:
    return (character < " " and character not in "\n\t") or "\x7f" <= character < "\xa0"
