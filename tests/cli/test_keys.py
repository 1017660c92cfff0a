"""Keys from the command line: rotation, in a file and in the environment."""

from __future__ import annotations

from storage.secrets import new_key, read_key_file
from tests.cli.command_line import Cli


def add_with_password(cli: Cli, name: str) -> None:
    cli.add_server(name, "--username", "me", "--password-file", cli.file("password", "hunter2"), "--port", 1)


def key_check(cli: Cli) -> tuple[str, str]:
    result = cli("doctor", "--json", exit_code=1)
    return next(
        (check["state"], check["finding"]) for check in json_of(result.stdout) if check["name"] == "key"
    )


def json_of(text: str) -> list[dict[str, str]]:
    import json

    found: list[dict[str, str]] = json.loads(text)
    return found


def test_rotation_puts_a_new_key_in_front_of_the_file_and_uses_it(cli: Cli) -> None:
    add_with_password(cli, "alpha")
    file = cli.folder / "var" / "postledger.key"
    (old,) = read_key_file(file)
    assert cli.json("key", "rotate") == {"passwords": 1, "keys": 2}
    new, kept = read_key_file(file)
    assert kept == old
    file.write_text(new)
    assert key_check(cli) == ("ok", "opens all 1 stored passwords")
    file.write_text(old)
    assert key_check(cli)[0] == "fail"


def test_with_keys_in_the_environment_rotation_uses_the_first(cli: Cli) -> None:
    old, new = new_key(), new_key()
    cli.environment["POSTLEDGER_KEY"] = old
    add_with_password(cli, "alpha")
    cli.environment["POSTLEDGER_KEY"] = f"{new},{old}"
    result = cli("key", "rotate")
    assert result.output == "1 passwords are encrypted with the newest of 2 keys\n"
    assert not (cli.folder / "var").exists()
    cli.environment["POSTLEDGER_KEY"] = new
    assert key_check(cli)[0] == "ok"


def test_a_key_that_opens_nothing_is_an_error_that_does_not_show_it(cli: Cli) -> None:
    cli.environment["POSTLEDGER_KEY"] = new_key()
    add_with_password(cli, "alpha")
    other = cli.environment["POSTLEDGER_KEY"] = new_key()
    error = cli.error("key", "rotate")
    assert "none of the keys opens the password of server 1" in error
    assert other not in error
    cli.environment["POSTLEDGER_KEY"] = "not-a-key"
    error = cli.error("key", "rotate")
    assert "44 characters" in error
    assert "not-a-key" not in error
