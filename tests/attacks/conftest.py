"""What the attacks run against: the web application of tests/web and the command line, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from threading import local
from typing import Any

import pytest

from application.turns import Turns
from storage.postgres.pool import Pool
from tests.cli.conftest import cli, own_place
from tests.web.accounts.conftest import accounts
from tests.web.conftest import address, app, cheap_passwords, client, clock, world

__all__ = ["accounts", "address", "app", "cheap_passwords", "cli", "client", "clock", "own_place", "world"]


@pytest.fixture(autouse=True)
def waits_for_a_turn_without_a_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever waits for a turn with a connection of the pool keeps everybody else from it."""
    here, took, faults = local(), Pool._take, list[str]()
    gave, began = Pool._give_back, Turns.begin

    def take(pool: Pool) -> Any:
        taken = took(pool)
        here.held = getattr(here, "held", 0) + 1
        return taken

    def give_back(pool: Pool, *taken: Any) -> None:
        here.held -= 1
        gave(pool, *taken)

    def begin(turns: Turns, asker: str = "") -> bool:
        if getattr(here, "held", 0):
            faults.append(f"{turns._what} by {asker}")
        return began(turns, asker)

    monkeypatch.setattr(Pool, "_take", take)
    monkeypatch.setattr(Pool, "_give_back", give_back)
    monkeypatch.setattr(Turns, "begin", begin)
    yield
    assert faults == []
