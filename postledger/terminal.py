"""What the command line writes to a terminal: nothing that steers it, whoever wrote it. Replies of SMTP
servers, names and reasons are others' words, and a terminal takes some characters for orders: to move the
cursor, to set the title or the clipboard, to hide what follows (ECMA-48: ESC, BEL, the C1 controls), or to
turn the direction of the text."""

from __future__ import annotations

import json
import sys
import unicodedata
from functools import lru_cache

import click


def harmless(text: str) -> str:
    """Line breaks, tabs and spaces of all kinds stay; every other character that is not for reading becomes
    U+FFFD."""
    return "".join(map(_harmless, text.replace("\r\n", "\n")))


def harmless_json(text: str) -> str:
    """The same JSON, in which such characters are escaped: all of it that is not in strings is ASCII."""
    return "".join(one if _harmless(one) == one else json.dumps(one)[1:-1] for one in text)


def write(text: str, *, err: bool = False, bold: bool = False) -> None:
    """One or more lines, to standard output or standard error."""
    click.secho(harmless(text), err=err, bold=bold or None)


def write_message(message: bytes) -> None:
    """An e-mail, byte for byte where it goes into a file or a program."""
    if sys.stdout.isatty():
        write(message.decode("utf-8", "replace"))
    else:
        click.echo(message, nl=False)


@lru_cache(maxsize=4096)
def _harmless(character: str) -> str:
    is_for_reading = character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"
    return character if is_for_reading else "\ufffd"
