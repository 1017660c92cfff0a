"""Values on the command line that click has no type for."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

LARGEST_TEXT = 1_000_000
PASSWORD_VARIABLE = "POSTLEDGER_SMTP_PASSWORD"  # noqa: S105
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Seconds(click.ParamType[int]):
    """90, 90s, 15m, 1h or 2d, as whole seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", value.strip())
        if not found:
            self.fail(f"{value!r} is not a duration such as 90s, 15m or 1h", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


class Text(click.ParamType[str]):
    """The text of a UTF-8 file; - is standard input."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            with nullcontext(sys.stdin.buffer) if value == "-" else Path(value).open("rb") as stream:
                raw = stream.read(LARGEST_TEXT + 1)
            text = raw.decode("utf-8-sig")
        except OSError as error:
            self.fail(f"{value}: {error.strerror}", param, ctx)
        except UnicodeDecodeError:
            self.fail(f"{value} is not UTF-8", param, ctx)
        if len(raw) > LARGEST_TEXT:
            self.fail(f"{value} is larger than {LARGEST_TEXT:,} bytes", param, ctx)
        return text


class Moment(click.ParamType[datetime]):
    """An ISO 8601 date and time; without an offset, in the time zone that `instant` is given."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a time such as 2026-03-06T07:00 or 2026-03-06T07:00+01:00", param, ctx
            )


def instant(moment: datetime, timezone: str) -> datetime:
    """In UTC. A wall time that a clock change leaves out counts as the time after it."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return moment.astimezone(UTC)


def read_password(file: str | None, environment: str | None) -> str:
    """From the file's first line, else the environment, else asked for. Never an argument, which every
    user of the machine can see."""
    if file is not None:
        return first_line(file)
    if environment:
        return environment
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"a password is needed: --password-file FILE, the environment variable {PASSWORD_VARIABLE},"
            " or a terminal to ask for it; --no-password when the server wants none"
        )
    password: str = click.prompt("SMTP password", hide_input=True, err=True)
    return password


def first_line(file: str) -> str:
    try:
        with nullcontext(sys.stdin) if file == "-" else Path(file).open(encoding="utf-8") as stream:
            password = stream.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--password-file: {file} cannot be read: {type(error).__name__}") from None
    if not password:
        raise click.UsageError(f"--password-file: the first line of {file} is empty")
    return password
