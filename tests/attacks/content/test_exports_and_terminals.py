"""What others wrote leaves us as text: no spreadsheet takes it for a formula, no terminal for an order, and
what was exported comes back as it was."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from flask.testing import FlaskClient
from hypothesis import assume, given
from hypothesis import strategies as st

from postledger import config
from postledger.cli.context import Commands
from postledger.cli.output import print_fields, print_json, print_rows
from postledger.logs import set_up_logs
from postledger.sink.rules import SinkRule
from postledger.sink.sink import Sink
from postledger.terminal import harmless, harmless_json, write
from storage.people.export import COLUMNS, cells, lines
from storage.people.personal_data import DirectoryError, checked_attributes, checked_email, checked_name
from storage.people.recipients_csv import Person, guarded, unguarded
from storage.people.recipients_csv import people as rows_of
from storage.people.recipients_import import Options, import_csv
from tests.cli.command_line import Cli
from tests.web.world import World

ROOT = Path(__file__).parents[3]
FORMULA = re.compile("[\\s\u200b\ufeff]*[=+\\-@＝＋－＠]")
CELLS = st.text(st.sampled_from(";'=\t\r\n\"+-@a, |＝\u00a0\u3000\ufeff"), max_size=12) | st.text(max_size=12)
LOCAL_PARTS = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}", fullmatch=True)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=8,
)

ORDERS = {
    "ESC, the title": "\x1b]0;owned\x07",
    "ESC, the clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "CSI, clearing": "\x1b[2J",
    "C1's CSI": "\x9b2J",
    "C1's OSC": "\x9d0;owned\x9c",
    "BEL": "\x07",
    "backspaces": "good\b\b\b\bevil",
    "going back to the beginning": "evil\rgood",
    "turning the direction": "\u202egpj.exe",
    "DEL and NUL": "\x7f\x00",
}
ORDER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

PEOPLE = [
    ("'+tag@example.com", "Apostrophe and plus"),
    ("+tag@example.com", "Plus"),
    ("-o'neill@example.com", "=1+1"),
    ("=cmd@example.com", "'=1+1"),
    ("'quoted'@example.com", "'"),
    ("plain@example.com", 'Ada;=HYPERLINK("http://x")'),
    ("semi@example.com", 'Ada;"=1+1"'),
    ("d'arc@example.com", "Jeanne d'Arc"),
    ("'=tag@example.com", " =1+1"),
    ("'-tag@example.com", "\u00a0 @SUM(1); =1+1"),
]


def test_who_was_exported_is_the_same_person_when_imported(client: FlaskClient, world: World) -> None:
    for email, name in PEOPLE:
        person = {"email": email, "name": name, "attribs": {"note": f";{name}", "less": [1, -2]}}
        assert client.post("/api/subscribers", json=person).status_code == 200, email
    before = people(client)
    file = client.get("/subscribers/export.csv").data
    with world.pool.transaction() as cursor:
        summary = import_csv(cursor, io.BytesIO(file), Options(update=True, others=True))
    assert (summary.imported, summary.existing, summary.updated, summary.refused) == (10, 10, 0, 0)
    assert people(client) == before


def people(client: FlaskClient) -> list[tuple[str, str, str]]:
    found = client.get("/api/subscribers?per_page=100&order_by=id").json["data"]["results"]
    return [(one["email"], one["name"], json.dumps(one["attribs"], sort_keys=True)) for one in found]


def test_an_export_holds_no_formula_however_it_is_separated(client: FlaskClient) -> None:
    for email, name in PEOPLE:
        client.post("/api/subscribers", json={"email": email, "name": name})
    text = client.get("/subscribers/export.csv").text
    assert [cell for cell in every_cell(text) if FORMULA.match(cell)] == []


@given(st.lists(CELLS, min_size=1, max_size=4))
def test_no_cell_is_a_formula_and_each_comes_back(cells: list[str]) -> None:
    assert [unguarded(guarded(cell)) for cell in cells] == cells
    row = lines([[guarded(cell) for cell in cells]])
    assert [cell for cell in every_cell(row) if FORMULA.match(cell)] == []


@given(
    st.lists(
        st.tuples(LOCAL_PARTS, CELLS, st.dictionaries(CELLS, JSON_VALUES, max_size=3)), min_size=1, max_size=4
    )
)
def test_whoever_is_exported_comes_back_as_the_same_person(
    everybody: list[tuple[str, str, dict[str, Any]]],
) -> None:
    """Whatever may be kept of somebody; their names have come through `checked_name`, as all have."""
    known, rows = [], []
    for local, name, attributes in everybody:
        try:
            kept = (checked_email(f"{local}@example.com"), checked_name(name), checked_attributes(attributes))
        except DirectoryError:
            assume(False)
        known.append((*kept[:2], json.loads(kept[2])))
        as_jsonb = json.dumps(attributes, ensure_ascii=False)
        rows.append(cells((1, *kept[:2], as_jsonb, "enabled", "confirmed", datetime.now(UTC))))
    file = lines([COLUMNS]) + lines(rows)
    assert [cell for cell in every_cell(file) if FORMULA.match(cell)] == []
    again = list(rows_of(io.BytesIO(file.encode()), lambda _: None, others=True))
    assert [
        isinstance(one, Person) and (one.email, one.name, json.loads(one.attributes)) for one in again
    ] == known


@given(CELLS)
def test_what_others_exported_is_read_as_it_is(cell: str) -> None:
    if "'" not in cell:
        assert unguarded(cell) == cell


def every_cell(text: str) -> list[str]:
    """As spreadsheets of several countries find them: separated by commas with quotation marks heeded, by
    semicolons or tabs with quotation marks heeded at the beginning of a cell alone, or not at all."""
    heeded = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    ignored = [cell.lstrip('"') for line in re.split("[\r\n]", text) for cell in re.split("[;\t]", line)]
    kept = [
        cell
        for separator in ";\t"
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in row
    ]
    return heeded + ignored + kept


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_nothing_that_is_written_steers_the_terminal(
    order: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(order)
    write(order, err=True)
    print_json({"reply": order})
    print_rows(["reply"], [(order,), ({"reply": order},), ([order],)], title=order)
    print_fields({"reply": order})
    said = capsys.readouterr()
    assert ORDER.findall(said.out + said.err) == []
    assert "\ufffd" in said.out


@given(st.text())
def test_json_stays_the_same_value(text: str) -> None:
    shown = harmless_json(json.dumps({"x": text}, ensure_ascii=False))
    assert json.loads(shown) == {"x": text}
    assert not ORDER.search(shown)


@given(st.text())
def test_no_order_is_left_in_a_text(text: str) -> None:
    assert not ORDER.search(harmless(text))


def test_what_is_for_reading_stays() -> None:
    text = "Grüße, 東京 \u00a0 “ok” – 👍\n\tzwei"
    assert harmless(text) == text


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_errors_do_not_steer_the_terminal_either(order: str, capsys: pytest.CaptureFixture[str]) -> None:
    @click.group(cls=Commands)
    def root() -> None:
        pass

    @root.command()
    def fail() -> None:
        raise click.ClickException(f"the server said {order}")

    with pytest.raises(SystemExit):
        root(["fail"])
    said = capsys.readouterr().err
    assert "the server said" in said
    assert ORDER.findall(said) == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_log_lines_do_not_steer_the_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(config.load({"log_format": form}, {}, Path()), "web")
    for order in ORDERS.values():
        logging.getLogger(__name__).error("the server said %s", order)
    assert ORDER.findall(capsys.readouterr().err) == []


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_smtp_servers_reply_does_not_steer_the_terminal(cli: Cli, options: tuple[str, ...]) -> None:
    reply = "550 5.7.1 no \x1b]0;owned\x07 \x9b2J \u202e"
    with Sink(rules=(SinkRule("ehlo", reply=reply),)) as sink:
        cli.add_server("alpha", "--port", sink.port, "--tls-type", "none")
        result = cli("server", "test", "alpha", *options, exit_code=1)
    assert "owned" in result.output
    assert ORDER.findall(result.output) == []


def test_only_one_place_writes_to_the_terminal() -> None:
    """But for the sink, a program of its own that writes JSON, and rich's tables, whose cells go through
    `shown`."""
    found = []
    for path in (ROOT / "postledger").rglob("*.py"):
        if "sink" in path.parts or path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"
            ):  # fmt: skip
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
