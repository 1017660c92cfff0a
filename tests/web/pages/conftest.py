"""The pages, with servers that can be tried."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from mail.smtp.probe import probe
from storage.secrets import Secrets
from tests.web.accounts.browsers import Browser


@pytest.fixture
def app(app: Flask) -> Flask:
    app.extensions["postledger"] = replace(app.extensions["postledger"], probe=probe)
    return app


@pytest.fixture
def secrets(app: Flask) -> Secrets:
    kept: Secrets = app.extensions["postledger"].secrets
    return kept


@pytest.fixture
def person(app: Flask) -> Browser:
    """Somebody at this machine, while there are no accounts."""
    return Browser(app.test_client())
