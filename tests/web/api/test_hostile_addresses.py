"""Addresses that are none, from programs: a clear error of the field each time, never an error of ours."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

SERVER = {"name": "alpha", "host": "smtp.example.com"}
NOT_FROM = [
    "a@[1.2.3.4",
    "(" * 300,
    "a\x00@example.com",
    "=?utf-8?q?a=0D=0ABcc:_x?= <n@x>",
    ".. <n@x>",
    "a " * 10_000,
    "news@my_host.example.com",
    "jörg@example.com",
    '"a b"@example.com',
    "a@example.com\r\nBcc: b@example.com",
    '"' * 300,
]
NOT_URLS = [
    "https://a b",
    "https://[1.2.3.4",
    "javascript:x",
    "https://me@a.example",
    "https://a/" + "%" * 20_000,
]


@pytest.mark.parametrize("address", NOT_FROM)
def test_a_server_is_not_added_with_an_address_that_nothing_can_come_from(
    client: FlaskClient, address: str
) -> None:
    answer = client.post("/api/servers", json={**SERVER, "from_email": address})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json["errors"]] == ["/from_email"]
    assert len(answer.text) < 5_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("default_from", address) for address in NOT_FROM),
        *(("public_address", address) for address in NOT_URLS),
    ],
)
def test_the_policy_refuses_what_no_message_could_be_made_with(
    client: FlaskClient, field: str, value: str
) -> None:
    answer = client.put("/api/policy", json={field: value})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/{field}"]
    assert len(answer.text) < 5_000
