"""The 30,000 most common passwords and some thousand long words, as zxcvbn has them (MIT, see
common_passwords.license.txt; the passwords are of Mark Burnett's list, which is in the public domain)."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("common_passwords.txt.gz")


def is_common(text: str) -> bool:
    """`text` in lower case."""
    return text in _all()


@cache
def _all() -> frozenset[str]:
    return frozenset(gzip.decompress(FILE.read_bytes()).decode("ascii").split())
