"""The command line as a process of its own: exit codes, arguments, and the database of our own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.installation import wait_until

pytestmark = pytest.mark.starts_processes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}


def run(
    folder: Path, environment: dict[str, str], *arguments: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postledger", *arguments],
        cwd=folder, env=environment, input=stdin, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_help_and_version_need_no_database(tmp_path: Path, environment: dict[str, str]) -> None:
    assert run(tmp_path, environment, "--version").stdout.startswith("postledger, version ")
    told = run(tmp_path, environment, "--help").stdout
    commands = "serve web processor migrate server recipients lists campaign policy queue delivery simulate"
    for command in [*commands.split(), "projections", "log", "doctor", "config", "key", "demo"]:
        assert f"\n  {command} " in told
    assert not (tmp_path / "var").exists()


def test_exit_codes_tell_refusals_from_wrong_command_lines(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    environment["DATABASE_URL"] = database_url
    assert run(tmp_path, environment, "lists", "--json").returncode == 0
    refused = run(tmp_path, environment, "campaign", "start", "7")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "Error: there is no campaign '7'; see `postledger campaign list`\n"
    assert run(tmp_path, environment, "campaign", "strat", "7").returncode == 2


def test_other_addresses_are_served_only_once_somebody_can_sign_in(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    environment["DATABASE_URL"] = database_url
    for command in ("serve", "web"):
        refused = run(tmp_path, environment, command, "--bind", "0.0.0.0", "--port", "0")
        assert refused.returncode == 1
        assert "postledger user create NAME --role admin" in refused.stderr
    created = run(tmp_path, environment, "user", "create", "ada", "--role", "admin", "--password-file", "-",
                  stdin="four words of a song\n")  # fmt: skip
    assert created.returncode == 0, created.stderr
    command = [sys.executable, "-m", "postledger", "web", "--bind", "0.0.0.0", "--port", str(free_port())]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as served:
        try:
            assert answers(int(command[-1]))
        finally:
            served.terminate()
            served.wait(30)


def answers(port: int) -> bool:
    """Whether somebody who has not signed in is sent to where that is done, within a minute."""
    deadline = monotonic() + 60
    while monotonic() < deadline:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/", headers={"Accept": "text/html"})
            return connection.getresponse().headers["Location"] == "/sign-in"
        except OSError:
            sleep(0.1)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def test_without_a_url_a_database_of_our_own_keeps_what_it_was_given(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email\nada@example.com\n")
    imported = run(tmp_path, environment, "recipients", "import", str(file), "--list", "Friends", "--json")
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout)["new"] == 1
    listed = run(tmp_path, environment, "recipients", "list", "--json")
    assert [person["email"] for person in json.loads(listed.stdout)] == ["ada@example.com"]


def test_two_commands_at_once_share_the_database_of_our_own(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert run(tmp_path, environment, "migrate").returncode == 0
    command = [sys.executable, "-m", "postledger", "log", "tail", "--follow", "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as follower:
        try:
            # The one that comes first starts the database, and has to be the one that stays.
            wait_until((tmp_path / "var" / "postgresql" / "data" / "postmaster.pid").exists)
            added = run(tmp_path, environment, "server", "add", "alpha", "--host", "127.0.0.1",
                        "--from-email", "news@example.com")  # fmt: skip
            assert added.returncode == 0, added.stderr
            assert follower.stdout is not None
            assert json.loads(follower.stdout.readline())["topic"] == "server.added"
        finally:
            follower.terminate()
            follower.wait(30)


def test_a_password_from_standard_input_appears_in_no_argument_and_no_output(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    environment["DATABASE_URL"] = database_url
    options = ("--host", "127.0.0.1", "--from-email", "news@example.com", "--username", "me")
    command = ("server", "add", "alpha", *options, "--password-file", "-")
    added = run(tmp_path, environment, *command, stdin="hunter2\n")
    assert added.returncode == 0, added.stderr
    assert "hunter2" not in added.stdout + added.stderr
    shown = run(tmp_path, environment, "server", "show", "alpha", "--json")
    assert json.loads(shown.stdout)["has_password"] is True
