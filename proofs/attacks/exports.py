"""What leaves by a file or a terminal does nothing to the program that shows it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from proofs.attacked.house import House
from proofs.finding import Finding

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\t=1", "a;=1+1", "\r=1")
SIGNED = "'+tag@attacked.example"
ESCAPES = "\x1b[31m\x9b31m\x07\x1b]0;owned\x07"


def attack(house: House) -> Iterator[Finding]:
    people = [(f"formula{n}@attacked.example", f"{text}") for n, text in enumerate(FORMULAS)]
    number = house.people("Formulas", [*people, (SIGNED, "Signed")])
    browser = house.browser("otto")
    told = browser.get(f"/lists/{number}/export.csv").text
    cells = [cell for row in csv.reader(io.StringIO(told)) for cell in row]
    split = [part for cell in cells for part in cell.split(";")]
    live = [part for part in split if part.lstrip("\t\r\n ")[:1] in ("=", "+", "-", "@")]
    yield Finding("live_formulas", len(live), "cells", 0, note=repr(live[:2]))
    house.command("recipients", "import", "-", "--list", "Again", said=told, expects=None)
    found = house.ok("GET", "/api/subscribers?query=subscribers.email%20LIKE%20'%25tag@attacked.example'")
    yield Finding("people_after_export", found.data["total"], "persons of one", 1)
    yield _escapes(house)


def _escapes(house: House) -> Finding:
    with Sink(rules=(SinkRule("mail", reply=f"550 5.7.1 {ESCAPES}no"),)) as sink:
        house.command(
            "server", "add", "hostile", "--host", "127.0.0.1", "--port", str(sink.port),
            "--tls", "none", "--from-email", "news@hostile.example.com", expects=None,
        )  # fmt: skip
        said = house.command("server", "test", "hostile", "--to", "a@attacked.example", expects=None)
    said += house.command("server", "list", expects=None)
    said += house.command("lists", "list", expects=None)
    controls = [character for character in said if character < " " and character not in "\n\t"]
    controls += [character for character in said if "\x7f" <= character < "\xa0"]
    return Finding("terminal_escapes", len(controls), "control characters", 0, note=repr(said[:120]))
