"""What forms send, read so that nothing a person typed is lost when it is refused."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from flask import request

from domain.errors import Refused

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(\d{1,9})\s*([smhd]?)", re.ASCII)
WHOLE = re.compile(r"-?\d{1,12}", re.ASCII)


def faults(refused: Refused) -> dict[str, str]:
    """Messages by field, without its name; under `form` what is about none."""
    if not refused.fields:
        return {"form": sentence(refused.message)}
    return {name: sentence(text.removeprefix(f"{name}: ")) for name, text in refused.fields.items()}


def sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def whole(text: str) -> int | str:
    """The number, or what is none as it was typed: the rules refuse it then in their own words."""
    digits = text.strip().replace(",", "").replace(" ", "")
    return int(digits) if WHOLE.fullmatch(digits) else text


def seconds(text: str) -> int | str:
    """90, 90s, 15m, 4h or 2d; anything else as it was typed."""
    found = DURATION.fullmatch(text.strip().lower())
    return int(found[1]) * UNITS[found[2]] if found else text


def duration(value: Any) -> Any:
    """The shortest way to type it: 90 → 90s, 900 → 15m. What is no number stays as it is."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    for unit in ("d", "h", "m"):
        if value and value % UNITS[unit] == 0:
            return f"{value // UNITS[unit]}{unit}"
    return f"{value}s"


def link_with(path: str, **changes: Any) -> str:
    """The address of a page with the filters of this one, but for `changes`; None leaves one out."""
    values = {name: texts for name, texts in request.args.lists() if any(texts)}
    for name, value in changes.items():
        values.pop(name, None)
        if value is not None:
            values[name] = value if isinstance(value, list) else [str(value)]
    return f"{path}?{urlencode(values, doseq=True)}" if values else path


def back_to(path: str) -> str:
    """Where a form says that it came from, when that lies under `path`; else `path` itself."""
    given = request.form.get("back", "")
    is_there = given == path or given.startswith((f"{path}?", f"{path}/"))
    return given if is_there and given.isprintable() and len(given) < 2000 and "\\" not in given else path
