"""What the attacks run against: the web application of tests/web and the command line, on a real database."""

from __future__ import annotations

from tests.cli.conftest import cli, own_place
from tests.web.accounts.conftest import accounts
from tests.web.conftest import address, app, cheap_passwords, client, clock, world

__all__ = ["accounts", "address", "app", "cheap_passwords", "cli", "client", "clock", "own_place", "world"]
