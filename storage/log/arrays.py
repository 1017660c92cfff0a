"""Arrays as PostgreSQL reads them (its documentation, section 8.15): far cheaper to hand over than lists."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache


def array(elements: Iterable[str]) -> str:
    """Of what needs no quotes or has them."""
    return "{" + ",".join(elements) + "}"


@lru_cache(maxsize=1024)
def quoted(element: str) -> str:
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
