"""The doctor finds what is wrong and says what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg2
import pytest

from domain.clock import SystemClock
from postledger.sink.sink import Sink
from storage.secrets import new_key
from tests.cli.command_line import Cli
from tests.web.accounts.identity_provider import identity_provider


def diagnosis(cli: Cli, exit_code: int) -> dict[str, tuple[str, str, str]]:
    checks = json.loads(cli("doctor", "--json", exit_code=exit_code).stdout)
    return {check["name"]: (check["state"], check["finding"], check["remedy"]) for check in checks}


def change(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_a_healthy_installation_passes(cli: Cli) -> None:
    cli.environment["POSTLEDGER_PUBLIC_URL"] = "https://post.example.com"
    with Sink() as sink:
        cli.add_server("alpha", "--port", sink.port, "--tls-type", "none")
        found = diagnosis(cli, 0)
    del found["durability"]  # test databases do without
    assert {state for state, _, _ in found.values()} == {"ok"}
    assert found["SMTP server alpha"][1] == "connects and signs in"
    assert (
        found["append-only role"][1] == "the service runs as postledger_service, who can only read and append"
    )
    assert "PostgreSQL" in found["database"][1]
    assert "password=(hidden)" in found["database"][1]


def test_every_trouble_comes_with_a_remedy(cli: Cli) -> None:
    cli.add_server("alpha", "--port", 1)
    found = diagnosis(cli, 1)
    assert found["SMTP server alpha"][0] == "fail"
    assert found["public address"][0] == "warn"
    assert all(remedy for state, _, remedy in found.values() if state != "ok")
    text = cli("doctor", exit_code=1).stdout
    assert "Check host and port" in text


def test_a_processor_that_does_not_know_the_time_is_a_failure(cli: Cli, database_url: str) -> None:
    assert diagnosis(cli, 0)["clock"][0] == "ok"
    change(
        database_url,
        "INSERT INTO processors (host, pid, started_at, seen_at, trusts_clock)"
        " VALUES ('there', 7, clock_timestamp(), clock_timestamp(), false)",
    )
    state, finding, remedy = diagnosis(cli, 1)["clock"]
    assert (state, finding) == ("fail", "processors that do not know the time: 1")
    assert "closer together" in remedy


def test_an_unreachable_database_ends_the_examination(cli_on: Callable[[str], Cli]) -> None:
    found = diagnosis(cli_on("postgresql://me:hunter2@127.0.0.1:1/d"), 1)
    assert found["database"][0] == "fail"
    assert "hunter2" not in str(found)
    assert "migrations" not in found


def test_pending_migrations_are_named(empty_database_url: str, cli_on: Callable[[str], Cli]) -> None:
    cli = cli_on(empty_database_url)
    assert "run `postledger migrate`" in cli.error("lists")
    state, finding, remedy = diagnosis(cli, 1)["migrations"]
    assert (state, remedy) == ("fail", "Run `postledger migrate`.")
    assert "0001_log.sql" in finding
    assert "0001_log.sql" in cli.json("migrate")["applied"]
    assert cli.json("migrate") == {"applied": [], "rebuilt": [], "warnings": []}
    assert diagnosis(cli, 0)["migrations"][0] == "ok"


def test_a_trigger_that_was_switched_off_is_noticed(cli: Cli, database_url: str) -> None:
    change(database_url, "ALTER TABLE events DISABLE TRIGGER ALL")
    assert diagnosis(cli, 1)["append-only trigger"][0] == "fail"


def test_a_service_that_may_change_the_log_is_noticed(cli: Cli, database_url: str) -> None:
    change(database_url, "GRANT UPDATE ON events TO postledger_service")
    state, finding, remedy = diagnosis(cli, 0)["append-only role"]
    assert state == "warn"
    assert "may change the log" in finding
    assert "postledger migrate" in remedy
    change(database_url, "REVOKE UPDATE ON events FROM postledger_service")


def test_passwords_without_their_key_are_noticed(cli: Cli) -> None:
    cli.environment["POSTLEDGER_KEY"] = new_key()
    cli.add_server(
        "alpha", "--username", "me", "--password-file", cli.file("password", "hunter2"), "--disabled"
    )
    assert diagnosis(cli, 0)["key"][:2] == ("ok", "opens all 1 stored passwords")
    cli.environment["POSTLEDGER_KEY"] = new_key()
    assert diagnosis(cli, 1)["key"][:2] == ("fail", "opens the passwords of all servers but 1")
    del cli.environment["POSTLEDGER_KEY"]
    assert diagnosis(cli, 1)["key"][:2] == ("fail", "1 passwords are stored and there is no key for them")
    assert not (cli.folder / "var" / "postledger.key").exists(), "looking must not make a key"


def test_a_key_file_that_others_can_read_is_noticed(cli: Cli) -> None:
    cli.add_server(
        "alpha", "--username", "me", "--password-file", cli.file("password", "hunter2"), "--disabled"
    )
    file = cli.folder / "var" / "postledger.key"
    assert "key file" not in diagnosis(cli, 0)
    file.chmod(0o644)
    assert diagnosis(cli, 0)["key file"][2] == f"chmod 600 {file}"


@pytest.mark.parametrize("statement", ["UPDATE projection.projection_positions SET version = version + 1"])
def test_projections_of_an_earlier_release_are_noticed(cli: Cli, database_url: str, statement: str) -> None:
    change(database_url, statement)
    assert "projections rebuild" in diagnosis(cli, 1)["projections"][2]
    cli("projections", "rebuild")
    assert diagnosis(cli, 0)["projections"][0] == "ok"


def test_a_public_url_without_tls_is_warned_of(cli: Cli) -> None:
    cli.environment["POSTLEDGER_PUBLIC_URL"] = "http://post.example.com"
    state, finding, remedy = diagnosis(cli, 0)["public address"]
    assert (state, finding) == ("warn", "http://post.example.com is no HTTPS address")
    assert "RFC 8058" in remedy
    cli("policy", "set", "--public-address", "https://links.example.com")
    assert diagnosis(cli, 0)["public address"][:2] == ("ok", "https://links.example.com")


def test_the_sign_in_provider_is_asked(cli: Cli) -> None:
    with identity_provider(SystemClock()) as provider:
        cli.environment |= {
            "POSTLEDGER_OIDC_ISSUER": provider.address,
            "POSTLEDGER_OIDC_CLIENT_ID": "postledger",
            "POSTLEDGER_OIDC_CLIENT_SECRET_FILE": str(cli.file("secret", "hush-hush\n")),
        }
        assert diagnosis(cli, 0)["sign-in provider"][0] == "ok"
        provider.issuer = "https://elsewhere.example"
        found = diagnosis(cli, 1)
    assert found["sign-in provider"][0] == "fail"
    assert "another issuer" in found["sign-in provider"][1]
    assert "hush-hush" not in str(found)


def test_a_processor_whose_planning_fails_is_noticed(cli: Cli, database_url: str) -> None:
    assert diagnosis(cli, 0)["processor"][0] == "ok"
    change(
        database_url,
        "INSERT INTO processors (host, pid, started_at, seen_at, failing) VALUES ('here', 1, now(), now(), "
        """'[{"job": "send", "failures": 7, "error": "ValueError", "since": "2026-03-04T12:00:00Z"}]')""",
    )
    state, finding, remedy = diagnosis(cli, 1)["processor"]
    assert (state, finding) == ("fail", "planning failed 7 times since 2026-03-04T12:00:00Z (ValueError)")
    assert "log" in remedy


def test_that_no_processor_lives_is_noticed(cli: Cli, database_url: str) -> None:
    """And fails the examination once somebody waits for it."""
    assert diagnosis(cli, 0)["processor"][:2] == ("ok", "none yet")
    change(
        database_url,
        "INSERT INTO processors (host, pid, started_at, seen_at)"
        " VALUES ('here', 1, now(), clock_timestamp() - interval '33 s')",
    )
    state, finding, remedy = diagnosis(cli, 0)["processor"]
    assert state == "warn"
    assert finding.startswith("none is running, so nothing is sent; the last one was seen at 20")
    assert "postledger serve" in remedy
    cli.add_server("alpha", "--disabled")
    cli.add_people()
    cli("campaign", "start", cli.add_campaign())
    assert diagnosis(cli, 1)["processor"][0] == "fail"


def test_a_from_address_that_an_earlier_release_took_is_noticed(cli: Cli, database_url: str) -> None:
    cli.add_server("alpha", "--disabled")
    change(
        database_url,
        "UPDATE projection.servers SET settings ="
        """ jsonb_set(settings::jsonb, '{from_email}', '"a@my_host.example"')""",
    )
    state, finding, _ = diagnosis(cli, 1)["From address of alpha"]
    assert state == "fail"
    assert "not a domain name" in finding
