"""SMTP servers from the command line, and that their passwords never show."""

from __future__ import annotations

import psycopg2
import pytest

from postledger.sink.sink import Sink
from tests.cli.command_line import Cli

PASSWORD = "hunter2-geheim"


def everything_in(url: str) -> str:
    """The whole log and all projections, as text."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(string_agg(state::text, ' '), '') FROM event_log")
            log = cursor.fetchone()[0]
            cursor.execute("SELECT coalesce(string_agg(s::text, ' '), '') FROM projection.servers s")
            return str(log) + str(cursor.fetchone()[0])
    finally:
        connection.close()


def test_a_server_is_there_with_defaults_as_soon_as_it_is_added(cli: Cli) -> None:
    cli.add_server("alpha", "--daily-limit", 1000, "--sliding-window", "--sliding-window-rate", 50,
                   "--sliding-window-duration", "15m", "--window", "22:00-06:00")  # fmt: skip
    (server,) = cli.json("server", "list")
    assert (server["name"], server["port"], server["max_conns"], server["tls_type"]) == (
        "alpha",
        587,
        10,
        "STARTTLS",
    )
    assert (server["daily_limit"], server["daily_used"], server["daily_remaining"]) == (1000, 0, 1000)
    assert (server["sliding_window_duration"], server["window"]) == (900, "22:00-06:00")
    assert "news@alpha.example" in cli("server", "list").output


def test_a_password_is_read_from_a_file_and_shown_nowhere(cli: Cli, database_url: str) -> None:
    file = cli.file("password", f"{PASSWORD}\nnot this\n")
    cli.add_server("alpha", "--username", "me", "--password-file", file)
    shown = cli("server", "list").output + cli("server", "show", "alpha").output
    shown += cli("server", "list", "--json").output + cli("log", "tail").output + everything_in(database_url)
    assert PASSWORD not in shown
    assert cli.json("server", "show", "alpha")["has_password"] is True


def test_a_password_can_come_from_the_environment(cli: Cli) -> None:
    cli.environment["POSTLEDGER_SMTP_PASSWORD"] = PASSWORD
    cli.add_server("alpha", "--username", "me")
    assert cli.json("server", "show", "alpha")["has_password"] is True


def test_without_a_terminal_a_password_is_not_waited_for(cli: Cli) -> None:
    error = cli.error(
        "server",
        "add",
        "alpha",
        "--host",
        "h.example",
        "--from-email",
        "a@b.de",
        "--username",
        "me",
        exit_code=2,
    )
    assert "--password-file" in error
    assert cli.json("server", "list") == []


def test_a_password_is_never_an_argument(cli: Cli) -> None:
    cli.add_server()
    for command in ("add", "edit"):
        assert cli.error("server", command, "alpha", f"--password={PASSWORD}", exit_code=2)


def test_a_refused_server_leaves_no_password_behind(cli: Cli, database_url: str) -> None:
    file = cli.file("password", PASSWORD)
    error = cli.error("server", "add", "alpha", "--host", "h.example", "--from-email", "nonsense",
                      "--username", "me", "--password-file", file)  # fmt: skip
    assert "from_email" in error
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM server_secrets")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_a_name_belongs_to_one_server(cli: Cli) -> None:
    cli.add_server("alpha")
    cli.add_server("beta")
    arguments = ("--host", "h.example", "--from-email", "a@b.de")
    assert "already" in cli.error("server", "add", "alpha", *arguments)
    assert "already" in cli.error("server", "edit", "beta", "--name", "alpha")
    cli("server", "edit", "beta", "--name", "beta")
    assert [server["name"] for server in cli.json("server", "list")] == ["alpha", "beta"]


def test_an_edit_changes_what_is_given_and_nothing_else(cli: Cli) -> None:
    file = cli.file("password", PASSWORD)
    cli.add_server(
        "alpha", "--daily-limit", 10, "--window", "08:00-20:00", "--username", "me", "--password-file", file
    )
    assert cli.json("server", "edit", "alpha", "--daily-limit", 20, "--window", "")["changed"] == [
        "daily_limit",
        "window",
    ]
    shown = cli.json("server", "show", "alpha")
    assert (shown["daily_limit"], shown["window"], shown["username"], shown["has_password"]) == (
        20,
        None,
        "me",
        True,
    )
    cli("server", "edit", "alpha", "--no-password")
    assert cli.json("server", "show", "alpha")["has_password"] is False
    assert "nothing to change" in cli.error("server", "edit", "alpha", exit_code=2)
    assert "there is no server" in cli.error("server", "edit", "beta", "--daily-limit", 1)


@pytest.mark.parametrize(
    ("off", "on", "reason"), [("disable", "enable", "disabled"), ("suspend", "resume", "suspended: manually")]
)
def test_a_server_that_takes_nothing_says_why(cli: Cli, off: str, on: str, reason: str) -> None:
    cli.add_server()
    cli("server", off, "alpha")
    assert cli.json("server", "list")[0]["unavailable_reason"] == reason
    cli("server", on, "alpha")
    assert cli.json("server", "list")[0]["available"] is True


def test_a_suspension_ends_at_a_local_time(cli: Cli) -> None:
    cli("policy", "set", "--timezone", "America/New_York")
    cli.add_server()
    cli("server", "suspend", "alpha", "--until", "2099-01-01T12:00")
    assert (
        cli.json("server", "list")[0]["unavailable_reason"]
        == "suspended: manually until 2099-01-01T17:00:00Z"
    )


def test_a_server_that_answers_passes_the_test(cli: Cli) -> None:
    with Sink() as sink:
        cli.add_server("alpha", "--port", sink.port, "--tls-type", "none")
        result = cli.json("server", "test", "alpha")
    assert result["ok"] is True
    assert any("EHLO" in step["text"].upper() for step in result["steps"])


def test_a_server_that_does_not_answer_fails_with_a_remedy(cli: Cli) -> None:
    cli.add_server("alpha", "--port", 1)
    assert "Check host and port" in cli.error("server", "test", "alpha")


def test_a_server_without_a_from_address_begins_with_the_policy_s(cli: Cli) -> None:
    bare = ("server", "add", "mail9", "--host", "smtp.example.com")
    assert "from" in cli.error(*bare)
    cli("policy", "set", "--default-from", "News <news@example.com>")
    cli(*bare)
    (server,) = cli.json("server", "list")
    assert server["from_email"] == "News <news@example.com>"
