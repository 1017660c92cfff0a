"""Users and API keys from the command line."""

from __future__ import annotations

from typing import Any

from storage.log.append import Log
from storage.postgres.pool import Pool
from tests.cli.command_line import Cli

PASSWORD = "four words of a song"


def add(cli: Cli, name: str, role: str = "admin") -> None:
    cli("user", "create", name, "--role", role, "--password-file", cli.file("password", PASSWORD))


def events(pool: Pool) -> list[tuple[str, dict[str, Any]]]:
    with pool.transaction() as cursor:
        cursor.execute("SELECT topic, state FROM event_log ORDER BY position")
        return list(cursor.fetchall())


def test_the_first_user_is_an_admin_and_every_change_is_an_event(cli: Cli, pool: Pool) -> None:
    file = cli.file("password", PASSWORD)
    first = ("user", "create", "Ada", "--password-file", file, "--role")
    assert "first user must be an admin" in cli.error(*first, "operator")
    assert cli(*first, "admin").output == "ada can sign in as admin\n"
    add(cli, "bob", "auditor")
    cli("user", "role", "bob", "operator")
    cli("user", "password", "bob", "--password-file", cli.file("other", "some other long words"))
    cli("user", "disable", "bob")
    cli("user", "enable", "bob")
    assert events(pool) == [
        ("user.added", {"by": "cli", "name": "ada", "role": "admin"}),
        ("user.added", {"by": "cli", "name": "bob", "role": "auditor"}),
        ("user.role_changed", {"by": "cli", "role": "operator"}),
        ("user.password_changed", {"by": "cli"}),
        ("user.disabled", {"by": "cli"}),
        ("user.enabled", {"by": "cli"}),
    ]
    assert [(one["name"], one["role"], one["disabled"]) for one in cli.json("user", "list")] == [
        ("ada", "admin", False),
        ("bob", "operator", False),
    ]


def test_what_changes_nothing_is_no_event(cli: Cli, pool: Pool) -> None:
    add(cli, "ada")
    cli("user", "role", "ada", "admin")
    cli("user", "enable", "ada")
    cli("user", "remove-second-factor", "ada")
    assert len(events(pool)) == 1


def test_one_admin_always_remains(cli: Cli) -> None:
    add(cli, "ada")
    assert "only admin" in cli.error("user", "disable", "ada")
    assert "only admin" in cli.error("user", "role", "ada", "auditor")
    add(cli, "bob")
    cli("user", "disable", "ada")
    assert "only admin" in cli.error("user", "disable", "bob")


def test_passwords_come_from_a_file_or_the_environment(cli: Cli) -> None:
    cli.environment["POSTLEDGER_PASSWORD"] = PASSWORD
    cli("user", "create", "ada", "--role", "admin")
    del cli.environment["POSTLEDGER_PASSWORD"]
    cli("user", "create", "bob", "--role", "admin", "--password-file", "-", stdin=f"{PASSWORD}\n")
    assert "a password is needed" in cli.error("user", "create", "eve", "--role", "admin", exit_code=2)


def test_poor_passwords_and_names_are_refused(cli: Cli, pool: Pool) -> None:
    for name, password, reason in (
        ("ada", "short", "12 to 200"),
        ("ada", "x" * 201, "12 to 200"),
        ("ada", "ababababababab", "too few different"),
        ("adalovelace", "adalovelace123", "it consists mostly of the name"),
        ("ada@example.com", PASSWORD, "name:"),
        ("-ada", PASSWORD, "name:"),
    ):
        file = cli.file("password", password)
        said = cli.error("user", "create", "--role", "admin", "--password-file", file, "--", name)
        assert reason in said
        assert password not in said
    assert events(pool) == []


def test_names_are_taken_once(cli: Cli) -> None:
    add(cli, "ada")
    file = cli.file("password", PASSWORD)
    assert "there is a user ada already" in cli.error(
        "user", "create", "ADA", "--role", "admin", "--password-file", file
    )
    assert "there is no user 'bob'" in cli.error("user", "disable", "bob")


def test_a_key_is_printed_once_and_can_be_revoked(cli: Cli, pool: Pool) -> None:
    key = cli("api-key", "create", "n8n", "--scope", "send", "--scope", "read", "--days", "30").output.strip()
    assert key.startswith("plk_")
    (listed,) = cli.json("api-key", "list")
    assert (listed["name"], listed["scopes"], listed["created_by"]) == ("n8n", ["read", "send"], "cli")
    assert key not in cli("api-key", "list").output
    cli("api-key", "revoke", "n8n")
    assert "to revoke" in cli.error("api-key", "revoke", "n8n")
    assert "is, or was, a key n8n" in cli.error("api-key", "create", "n8n", "--role", "auditor")
    assert "either" in cli.error("api-key", "create", "other", exit_code=2)
    created, revoked = events(pool)
    assert created[0] == "key.created"
    assert created[1].keys() == {"by", "name", "scopes", "expires"}
    assert revoked == ("key.revoked", {"by": "cli"})


def test_no_secret_is_in_the_log_or_in_a_table(cli: Cli, pool: Pool) -> None:
    add(cli, "ada")
    key = cli("api-key", "create", "n8n", "--role", "operator").output.strip()
    secret = key.split("_")[2]
    with pool.transaction() as cursor:
        for table in ("event_log", "users", "api_keys"):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t")
            text = cursor.fetchone()[0]
            assert text
            assert PASSWORD not in text
            assert secret not in text


def test_a_refused_change_leaves_neither_row_nor_event(cli: Cli, pool: Pool, monkeypatch: Any) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the log is away")

    monkeypatch.setattr(Log, "append_within", fail)
    file = cli.file("password", PASSWORD)
    cli("user", "create", "ada", "--role", "admin", "--password-file", file, exit_code=1)
    monkeypatch.undo()
    assert cli.json("user", "list") == []
    assert events(pool) == []


def test_the_address_at_a_provider_is_kept_out_of_the_log(cli: Cli, pool: Pool) -> None:
    add(cli, "ada")
    add(cli, "bob")
    cli("user", "email", "ada", "--file", cli.file("address", "Ada@Example.com\n"))
    assert "another user" in cli.error("user", "email", "bob", "--file", cli.file("same", "ada@example.com"))
    assert "exactly one @" in cli.error("user", "email", "bob", "--file", cli.file("none", "bob"))
    cli("user", "email", "ada", "--remove")
    assert events(pool)[2:] == [
        ("user.email_changed", {"by": "cli", "removed": False}),
        ("user.email_changed", {"by": "cli", "removed": True}),
    ]


def test_a_second_factor_is_made_necessary_and_free_again(cli: Cli) -> None:
    told = cli.json("user", "require-second-factor", "--role", "admin", "--role", "operator")
    assert told == {"roles": ["admin", "operator"]}
    assert "needed by nobody" in cli("user", "require-second-factor", "--nobody").output
