"""Sending forms as a browser does."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

TOKEN = re.compile(r'name="csrf" value="([0-9a-f]+)"')


def send(client: FlaskClient, path: str, **values: Any) -> TestResponse:
    """With the token of a form that anybody gets."""
    found = TOKEN.search(client.get("/lists/new").text)
    assert found is not None
    return client.post(path, data={"csrf": found[1], **values}, headers={"Accept": "text/html"})
