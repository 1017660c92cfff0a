"""Texts to be found as they stand with LIKE and ILIKE."""

from __future__ import annotations


def beginning_with(part: str) -> str:
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}%"


def containing(part: str) -> str:
    return f"%{beginning_with(part)}"
