"""A server's life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import Refused
from domain.server.server import SmtpServer, Suspension

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SETTINGS = {"name": "mail2", "host": "smtp.example.com", "from_email": "news@mail2.example.com"}


def server(**changes: object) -> SmtpServer:
    return SmtpServer.add(2, {**SETTINGS, **changes}, by="test", at=NOW)


def last(server: SmtpServer) -> Any:
    return server.pending_events[-1]


def test_it_is_usable_while_enabled_and_not_suspended() -> None:
    mail2 = server()
    assert mail2.is_usable(NOW)
    mail2.disable(by="test", at=NOW)
    assert not mail2.is_usable(NOW)
    mail2.enable(by="test", at=NOW)
    mail2.suspend("421 slow down", NOW + timedelta(minutes=1), by="processor:1", at=NOW)
    assert not mail2.is_usable(NOW)
    assert mail2.is_usable(NOW + timedelta(minutes=1))


def test_enabling_what_is_enabled_records_nothing() -> None:
    mail2 = server()
    mail2.enable(by="test", at=NOW)
    assert mail2.version == 1
    mail2.disable(by="test", at=NOW)
    mail2.disable(by="test", at=NOW)
    assert mail2.version == 2


def test_a_change_records_only_what_differs() -> None:
    mail2 = server()
    mail2.change({"port": 25, "name": "mail2"}, by="test", at=NOW)
    assert last(mail2).changes == {"port": 25}
    assert mail2.settings.port == 25
    mail2.change({"port": 25}, by="test", at=NOW)
    assert mail2.version == 2


def test_enabling_within_a_change_is_an_event_of_its_own() -> None:
    mail2 = server()
    mail2.change({"enabled": False, "port": 25}, by="test", at=NOW)
    assert [type(event).__name__ for event in mail2.pending_events] == ["Created", "Changed", "Disabled"]
    assert not mail2.is_enabled()


def test_a_wrong_change_changes_nothing() -> None:
    mail2 = server()
    with pytest.raises(Refused):
        mail2.change({"port": 25, "daily_limit": -1}, by="test", at=NOW)
    assert (mail2.version, mail2.settings.port) == (1, 587)


def test_a_suspension_is_only_ever_prolonged() -> None:
    mail2, later = server(), NOW + timedelta(minutes=5)
    mail2.suspend("421", later, by="processor:1", at=NOW)
    mail2.suspend("421", later - timedelta(minutes=1), by="processor:2", at=NOW)
    assert mail2.suspension == Suspension("421", later)
    mail2.suspend("535", None, by="processor:2", at=NOW)
    mail2.suspend("421", later + timedelta(days=1), by="processor:1", at=NOW)
    mail2.suspend("535", None, by="processor:1", at=NOW)
    assert mail2.suspension == Suspension("535", None)
    assert not mail2.is_usable(NOW + timedelta(days=1000))
    assert mail2.version == 3


def test_a_suspension_until_the_past_is_none() -> None:
    mail2 = server()
    mail2.suspend("421", NOW, by="processor:1", at=NOW)
    assert mail2.version == 1


def test_its_end_is_recorded_in_utc() -> None:
    mail2 = server()
    mail2.suspend("421", "2026-11-24T14:00:00+01:00", by="processor:1", at=NOW)
    assert last(mail2).until == "2026-11-24T13:00:00+00:00"


@pytest.mark.parametrize(("reason", "until"), [("", None), ("421", "soon"), ("421", "2026-11-24T14:00:00")])
def test_a_suspension_without_reason_or_clear_end_is_refused(reason: str, until: str | None) -> None:
    with pytest.raises(Refused):
        server().suspend(reason, until, by="test", at=NOW)


def test_resuming_ends_a_suspension_and_else_records_nothing() -> None:
    mail2 = server()
    mail2.resume(by="test", at=NOW)
    assert mail2.version == 1
    mail2.suspend("535", None, by="processor:1", at=NOW)
    mail2.resume(by="test", at=NOW)
    assert mail2.suspension is None
    assert mail2.is_usable(NOW)
