from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.postgres.service_login import service_url
from tests.cli.command_line import Cli


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No configuration of the machine that the tests run on, and its logging put back afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith("POSTLEDGER_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def cli(tmp_path: Path, database_url: str) -> Cli:
    urls = {
        "POSTLEDGER_DATABASE_URL": service_url(database_url),
        "POSTLEDGER_OWNER_DATABASE_URL": database_url,
    }
    return Cli(tmp_path, urls)


@pytest.fixture
def cli_on(tmp_path: Path) -> Callable[[str], Cli]:
    """On another database."""
    return lambda url: Cli(tmp_path, {"POSTLEDGER_DATABASE_URL": url})
