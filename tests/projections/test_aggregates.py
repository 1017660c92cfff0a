"""Campaigns and servers, as the application writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from application.decisions.postledger import Postledger
from domain.server.availability import Suspension
from projections import campaign_progress, servers
from projections.following.rebuild import rebuild
from storage.log.factory import LogFactory
from storage.postgres.pool import Pool
from tests.projections.conftest import Writing
from tests.projections.histories import START

SETTINGS = {"name": "alpha", "host": "mail.example.com", "port": 587, "from_email": "news@example.com"}


@pytest.fixture
def application(pool: Pool, writing: Writing) -> Postledger:
    return Postledger(factory=LogFactory(pool=pool, clock=writing.clock), clock=writing.clock)


def create(application: Postledger, number: int = 1) -> None:
    application.create_campaign(
        number=number, name="Spring", subject="Hello", text="ab" * 32, lists=[3, 4], by="cli"
    )


def test_a_campaign_is_shown_as_it_stands(writing: Writing, application: Postledger, pool: Pool) -> None:
    create(application)
    application.edit_campaign(1, {"subject": "Good morning", "headers": [["X-Mood", "fine"]]}, by="api")
    send_at = START + timedelta(hours=2)
    application.schedule(1, send_at, by="api")
    writing.runner.catch_up()
    shown = writing.ask(campaign_progress.progress, 1)
    assert (shown.name, shown.subject, shown.state, shown.send_at) == (
        "Spring",
        "Good morning",
        "scheduled",
        send_at,
    )
    assert (shown.lists, shown.headers, shown.text) == ([3, 4], [["X-Mood", "fine"]], "ab" * 32)
    assert (shown.changed_by, shown.started_at, shown.total) == ("api", None, 0)
    assert writing.ask(campaign_progress.scheduled_until, START) == []
    assert writing.ask(campaign_progress.scheduled_until, send_at) == [1]


def test_a_campaign_says_when_it_started_and_ended_and_why(writing: Writing, application: Postledger) -> None:
    create(application)
    application.start(1, by="cli")
    writing.clock.advance_to(START + timedelta(minutes=1))
    application.pause(1, reason="lunch", by="cli")
    writing.runner.catch_up()
    paused = writing.ask(campaign_progress.progress, 1)
    assert (paused.state, paused.reason, paused.started_at) == ("paused", "lunch", START)
    application.resume(1, by="cli")
    application.finish_queueing(1, recipients=0, by="processor:1")
    application.finish(1, by="processor:1")
    writing.runner.catch_up()
    finished = writing.ask(campaign_progress.progress, 1)
    assert (finished.state, finished.reason, finished.recipients) == ("finished", None, 0)
    assert finished.ended_at == START + timedelta(minutes=1)


def test_campaigns_are_listed_newest_first_by_state(writing: Writing, application: Postledger) -> None:
    for number in (1, 2, 3):
        create(application, number)
    application.start(2, by="cli")
    writing.runner.catch_up()

    def listed(*states: str, before: int | None = None) -> list[int]:
        found = writing.ask(campaign_progress.campaigns, list(states) or None, before=before)
        return [one.campaign for one in found]

    assert listed() == [3, 2, 1]
    assert listed("draft") == [3, 1]
    assert listed("running") == [2]
    assert listed(before=3) == [2, 1]


def test_a_server_is_shown_as_it_stands_after_a_rebuild_too(
    writing: Writing, application: Postledger, pool: Pool
) -> None:
    application.add_server(SETTINGS, number=1, by="cli")
    application.add_server({**SETTINGS, "name": "bravo"}, number=2, by="cli")
    application.change_server(1, {"name": "zulu", "daily_limit": 500}, by="api")
    application.disable_server(2, by="api")
    until = START + timedelta(minutes=5)
    application.suspend_server(1, reason="too many messages", until=until, by="processor:1")
    writing.runner.catch_up()
    for _ in range(2):
        second, first = writing.ask(servers.servers)
        assert (first.name, first.settings["daily_limit"], first.enabled) == ("zulu", 500, True)
        assert first.suspension == Suspension("too many messages", until)
        assert (second.name, second.enabled, second.settings["enabled"]) == ("bravo", False, False)
        assert writing.ask(servers.numbers) == [1, 2]
        rebuild(pool)
    application.resume_server(1, by="cli")
    writing.runner.catch_up()
    assert not writing.ask(servers.server_named, "zulu").suspended


def test_there_is_nothing_to_show_of_what_there_is_not(writing: Writing) -> None:
    writing.runner.catch_up()
    assert writing.ask(servers.server_named, "alpha") is None
    assert writing.ask(campaign_progress.progress, 1) is None


def test_a_new_password_is_told_without_the_password(
    writing: Writing, application: Postledger, pool: Pool
) -> None:
    application.add_server(SETTINGS, number=1, by="cli")
    writing.clock.advance_to(START + timedelta(minutes=1))
    application.note_password(1, by="user:ada")
    writing.runner.catch_up()
    shown = writing.ask(servers.server_named, "alpha")
    assert (shown.changed_by, shown.changed_at) == ("user:ada", START + timedelta(minutes=1))
    assert shown.settings["name"] == "alpha"
