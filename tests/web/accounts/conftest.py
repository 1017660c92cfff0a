"""An installation with an admin, an operator and an auditor."""

from __future__ import annotations

import pytest
from flask import Flask

from application.accounts.accounts import Accounts
from tests.web.accounts.browsers import add_people
from tests.web.world import World
from web.http.services import services


@pytest.fixture
def accounts(app: Flask, world: World) -> Accounts:
    with app.app_context():
        made = Accounts(services())
    add_people(made)
    return made
