"""Whether we are ready is for everybody to know; why not, and how far we are, is for those who may read."""

from __future__ import annotations

import logging

import psycopg2
import pytest
from flask import Flask

from application.accounts.accounts import Accounts

INSIDE = 'connection to server at "db.internal" (10.0.0.5), port 5432 failed: FATAL: no "postledger"'


def test_strangers_are_told_with_a_word(app: Flask, accounts: Accounts) -> None:
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"data": {"status": "ready"}})


def test_those_who_may_read_are_told_more(app: Flask, accounts: Accounts) -> None:
    _, key = accounts.create_key("monitor", ["read"], by="test")
    told = app.test_client().get("/readyz", headers={"Authorization": f"Bearer {key}"}).json["data"]
    assert told.keys() == {"status", "position", "lag", "processors", "failing"}


@pytest.mark.parametrize("path", ["/readyz", "/api/queue/stats", "/metrics"])
def test_nobody_is_told_where_the_database_is(
    app: Flask,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    caplog.set_level(logging.WARNING)

    def fail(_: object) -> None:
        raise psycopg2.OperationalError(INSIDE)

    monkeypatch.setattr("web.http.services.Services.reading", fail)
    answer = app.test_client().get(path)
    assert answer.status_code == 503
    for inside in ("db.internal", "10.0.0.5", "5432", "FATAL"):
        assert inside not in answer.text
    assert "db.internal" in caplog.text, "whoever looks after the service finds it in its log"


def test_strangers_are_not_told_what_is_behind(
    app: Flask, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.following.schema.outdated", lambda _: ["queue"])
    _, key = accounts.create_key("monitor", ["read"], by="test")
    nobody = app.test_client().get("/readyz")
    assert (nobody.status_code, nobody.json) == (
        503,
        {"message": "Not ready: the log of the service says why."},
    )
    known = app.test_client().get("/readyz", headers={"Authorization": f"Bearer {key}"})
    assert known.json["message"] == "To be rebuilt (postledger projections rebuild): queue."
