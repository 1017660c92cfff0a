"""What commands print: tables for people, JSON for programs (`--json`), errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from postledger.terminal import harmless, harmless_json, write

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def choice(members: Iterable[str]) -> click.Choice[str]:
    """Of an enumeration's values; click by itself would take its names."""
    return click.Choice([str(member) for member in members])


def print_json(value: Any) -> None:
    """One line, so that scripts can read line by line."""
    write(harmless_json(to_json(value)))


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path | UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"{type(value).__name__} has no JSON")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    table = Table(
        title=None if title is None else shown(title), title_justify="left", header_style="bold", expand=False
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(shown(value) for value in row))
    console().print(table)


def print_fields(fields: Mapping[str, object]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, shown(value))
    console().print(table)


def shown(value: object) -> str:
    """As a person reads it; nothing that it holds can steer the terminal or the markup."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    text = to_json(value) if isinstance(value, dict) else str(value)
    return escape(harmless(text).replace("\t", " "))


def console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


@contextmanager
def progress(
    description: str, total: float | None = None, *, hidden: bool = False
) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, for a terminal only; call what it gives with how much was done since."""
    with _bar(hidden) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def progress_to(description: str, *, hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """As `progress`; call what it gives with how far it has come, and how far it goes."""
    with _bar(hidden) as bar:
        task = bar.add_task(description, total=None)
        yield lambda reached, total: bar.update(task, completed=reached, total=total)


def _bar(hidden: bool) -> Progress:
    error = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=error, transient=True, disable=hidden or not error.is_terminal)
