"""The pages."""

from __future__ import annotations

import pytest
from flask import Flask

from storage.secrets import Secrets
from tests.web.accounts.browsers import Browser


@pytest.fixture
def secrets(app: Flask) -> Secrets:
    kept: Secrets = app.extensions["postledger"].secrets
    return kept


@pytest.fixture
def person(app: Flask) -> Browser:
    """Somebody at this machine, while there are no accounts."""
    return Browser(app.test_client())
