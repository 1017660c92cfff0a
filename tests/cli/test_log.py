"""The log and what is derived from it, from the command line."""

from __future__ import annotations

import json

import psycopg2
import pytest

from tests.cli.command_line import Cli


@pytest.fixture
def history(cli: Cli) -> Cli:
    cli.add_people()
    cli.add_server()
    cli.add_campaign()
    return cli


def tamper(url: str, statement: str) -> None:
    """As a superuser who goes round the trigger."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
    connection.close()


def test_the_tail_shows_the_last_events_in_order(history: Cli) -> None:
    lines = [json.loads(line) for line in history("log", "tail", "--json").stdout.splitlines()]
    assert [(line["position"], line["topic"]) for line in lines] == [
        (1, "list.created"),
        (2, "people.imported"),
        (3, "server.added"),
        (4, "campaign.created"),
    ]
    assert all(line["state"]["by"] == "cli" for line in lines)
    (line,) = history("log", "tail", "-n", 1).stdout.splitlines()
    assert "campaign.created" in line
    assert history("log", "tail", "--topic", "server.").stdout.count("\n") == 1


def test_a_sound_log_is_verified(history: Cli) -> None:
    verdict = history.json("log", "verify")
    assert verdict == {"ok": True, "broken": None, "reason": "", "events": 4, "head": 4}
    assert "the log is sound: 4 events" in history("log", "verify").output
    assert history.json("log", "verify", "--since", 4)["events"] == 1
    assert "positions 1 to 4" in history.error("log", "verify", "--since", 9)


def test_a_changed_event_is_named(history: Cli, database_url: str) -> None:
    tamper(
        database_url, "UPDATE events SET recorded_at = recorded_at + interval '1 second' WHERE position = 2"
    )
    result = history("log", "verify", "--json", exit_code=1)
    assert json.loads(result.stdout)["broken"] == 2
    assert "broken at position 2" in result.stderr


def test_projections_can_be_listed_and_made_anew(history: Cli) -> None:
    listed = history.json("projections", "list")
    assert {one["projection"] for one in listed} >= {"queue", "servers", "campaign_progress"}
    assert all(one["behind"] == 0 and not one["outdated"] for one in listed)
    history("projections", "rebuild", "servers")
    history("projections", "rebuild")
    assert history.json("server", "list")[0]["name"] == "alpha"
    assert "there is no projection nonsense" in history.error("projections", "rebuild", "nonsense")


def test_projections_of_an_earlier_release_hold_a_processor_up_until_they_are_made_anew(
    history: Cli, database_url: str
) -> None:
    tamper(
        database_url,
        "UPDATE projection.projection_positions SET version = 0 WHERE projection = 'servers'; "
        "UPDATE projection.servers SET name = 'as it was written then'",
    )
    assert "made by an earlier release (servers): run `postledger migrate`" in history.error("processor")
    assert history.json("migrate") == {"applied": [], "rebuilt": ["servers"], "warnings": []}
    assert history.json("server", "list")[0]["name"] == "alpha"
    assert history("migrate").output == "the database is up to date\n"


def test_projections_that_follow_from_the_log_pass_the_check(history: Cli) -> None:
    assert history.json("projections", "check") == {"ok": True, "differences": []}
    assert history.json("projections", "check") == {"ok": True, "differences": []}


def test_a_projection_that_differs_fails_the_check_until_it_is_rebuilt(
    history: Cli, database_url: str
) -> None:
    tamper(database_url, "UPDATE projection.servers SET name = 'omega'")
    result = history("projections", "check", "--json", exit_code=1)
    assert [one["projection"] for one in json.loads(result.stdout)["differences"]] == ["servers"]
    assert "servers" in history("projections", "check", exit_code=1).stdout
    history("projections", "rebuild", "servers")
    history("projections", "check")
