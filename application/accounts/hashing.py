"""Hashing takes 32 MiB and some 50 ms each time: half of the machine at most does it, by turns."""

from __future__ import annotations

import os

from application.turns import Turns
from domain.accounts.passwords import LONGEST_PASSWORD
from storage.accounts import accounts

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
BY_STRANGERS = Turns("sign-ins", at_once=AT_ONCE, waiting=8)
BY_ACQUAINTANCES = Turns("sign-ins", at_once=AT_ONCE, waiting=8)
"""Of people who are signed in, and from browsers that somebody has signed in from: strangers do not take
their turns."""


def hashed(password: str) -> str:
    """Raises Crowded."""
    with BY_ACQUAINTANCES.taken():
        return accounts.hashed(password)


def is_right(stored: str, password: str, turns: Turns = BY_ACQUAINTANCES) -> bool:
    """Raises Crowded."""
    with turns.taken():
        return accounts.is_right(stored, password[: LONGEST_PASSWORD + 1])
