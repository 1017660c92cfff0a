"""What one transactional message says beside its template. Personal data: never in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MOST_RECIPIENTS = 1000
"""Of one request: they are one fact of the log."""


class Particulars(NamedTuple):
    """`data` is what templates see as `tx.data`. An empty `subject` is the template's; `altbody` is the text
    beside HTML; subject, altbody and the values of `headers` are templates themselves."""

    data: Mapping[str, Any]
    subject: str = ""
    altbody: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def has_texts(self) -> bool:
        return bool(self.subject or self.altbody or self.headers)
