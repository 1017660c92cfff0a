"""The server of one's own: it starts, keeps its data, is shared, and never outlives its starter."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from storage.postgres.embedded import EmbeddedServer, EmbeddedServerError

pytestmark = pytest.mark.starts_processes

ROOT = Path(__file__).parent.parent.parent
STARTER = """
import sys
from pathlib import Path
from storage.postgres.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), fsync=False)
server.start()
print(server.url, server.joined, flush=True)
sys.stdin.read()
server.close()
"""


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def postmaster_of(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that starts or joins the server of `folder` and keeps it until its standard input ends."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield starter
    finally:
        starter.communicate(timeout=60)


def said_by(starter: subprocess.Popen[str]) -> tuple[str, bool]:
    assert starter.stdout is not None
    url, joined = starter.stdout.readline().split()
    return url, joined == "True"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "postgresql"


def test_starts_on_an_empty_folder_and_answers(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False) as server:
        assert ask(server.url, "SELECT current_database()::text, 1") == [("postledger", 1)]
        assert ask(server.url, "SELECT lower('ÄÖ')") == [("äö",)]
        assert server.running
        assert not server.joined
    assert not server.running


def test_keeps_its_data_and_its_url_from_one_start_to_the_next(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        first = server.url
        ask(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedServer(folder) as server:
        assert ask(server.url, "SELECT answer FROM kept") == [(42,)]
        assert server.url == first


def test_stops_for_good_even_with_a_client_connected(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False) as server:
        idle = psycopg2.connect(server.url)
        pid = postmaster_of(folder)
    assert is_gone(pid)
    assert not (folder / "data" / "postmaster.pid").exists()
    idle.close()


def test_wants_its_password_which_only_its_owner_can_read(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False) as server:
        parts = urlsplit(server.url)
        without = f"host=127.0.0.1 port={parts.port} user={parts.username} dbname=postledger"
        with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
            psycopg2.connect(without, passfile="/dev/null")
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(without, password="guessed")
        assert ask(server.url, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == [("scram-sha-256",)]
        assert ask(server.url, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert (folder / "url").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_starter_joins_and_leaves_the_server_running(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False) as server:
        with another_process(folder) as second:
            assert said_by(second) == (server.url, True)
        assert second.returncode == 0
        assert ask(server.url, "SELECT 1") == [(1,)]


def test_of_two_that_start_at_once_one_starts_and_the_other_joins(folder: Path) -> None:
    with another_process(folder) as one, another_process(folder) as other:
        answers = [said_by(one), said_by(other)]
        assert answers[0][0] == answers[1][0]
        assert sorted(joined for _, joined in answers) == [False, True]
        assert ask(answers[0][0], "SELECT 1") == [(1,)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_a_killed_starter_takes_the_server_along_and_the_data_stay(folder: Path) -> None:
    with another_process(folder) as starter:
        url, _ = said_by(starter)
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        postmaster = postmaster_of(folder)
        starter.kill()
        eventually(lambda: is_gone(postmaster))
    with EmbeddedServer(folder, fsync=False) as server:
        assert ask(server.url, "SELECT answer FROM kept") == [(42,)]


def test_starts_again_at_once_after_its_starter_was_killed(folder: Path) -> None:
    """The old server may be going down still: the new starter waits for it, and does not join it."""
    with another_process(folder) as starter:
        said_by(starter)
        starter.kill()
        starter.wait()
        with EmbeddedServer(folder, fsync=False) as server:
            assert not server.joined
            assert ask(server.url, "SELECT 1") == [(1,)]


def test_starts_again_after_the_server_itself_was_killed(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False) as server:
        ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        ask(server.url, "CHECKPOINT")
        os.kill(postmaster_of(folder), signal.SIGKILL)
        eventually(lambda: not server.running)
        assert (folder / "data" / "postmaster.pid").exists()
        with EmbeddedServer(folder, fsync=False) as again:
            assert ask(again.url, "SELECT answer FROM kept") == [(42,)]


@contextmanager
def left_behind(folder: Path, command: list[str]) -> Iterator[int]:
    """A stopped server's folder with the pid file of `command`, a process of the user who ran the server."""
    with EmbeddedServer(folder, fsync=False):
        left = (folder / "data" / "postmaster.pid").read_text()
    owner = (folder / "data").stat().st_uid
    process = subprocess.Popen(command, user=owner, cwd="/")
    (folder / "data" / "postmaster.pid").write_text(f"{process.pid}\n{left.split(chr(10), 1)[1]}")
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def test_a_pid_file_of_a_zombie_does_not_stop_it(folder: Path) -> None:
    with left_behind(folder, ["true"]) as pid:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert " Z " in Path(f"/proc/{pid}/stat").read_text()
        with EmbeddedServer(folder, fsync=False) as server:
            assert ask(server.url, "SELECT 1") == [(1,)]


def test_a_pid_file_whose_number_now_is_another_programs_does_not_stop_it(folder: Path) -> None:
    with (
        left_behind(folder, ["sleep", "60"]) as pid,
        EmbeddedServer(folder, fsync=False) as server,
    ):
        assert ask(server.url, "SELECT 1") == [(1,)]
        assert not is_gone(pid)


def test_data_that_a_server_started_by_other_means_runs_on_are_left_alone(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False) as server:
        (folder / "lock").unlink()
        with pytest.raises(EmbeddedServerError, match="started by other means"):
            EmbeddedServer(folder, fsync=False).start()
        assert ask(server.url, "SELECT 1") == [(1,)]


def test_data_of_another_major_version_are_refused_with_what_to_do(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False):
        pass
    version = folder / "data" / "PG_VERSION"
    ours = version.read_text()
    version.write_text("12\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 12.*PG_BIN=.*pg_dump"):
        EmbeddedServer(folder, fsync=False).start()
    assert version.read_text() == "12\n"
    version.write_text(ours)
    with EmbeddedServer(folder, fsync=False) as server:
        assert ask(server.url, "SELECT 1") == [(1,)]


def test_data_without_their_password_are_refused(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False):
        pass
    (folder / "url").unlink()
    with pytest.raises(EmbeddedServerError, match="password is gone"):
        EmbeddedServer(folder, fsync=False).start()


def test_what_a_killed_first_start_left_unfinished_is_begun_anew(folder: Path) -> None:
    (folder / "data.unfinished" / "base").mkdir(parents=True)
    with EmbeddedServer(folder, fsync=False) as server:
        assert ask(server.url, "SELECT 1") == [(1,)]


def test_a_port_that_was_taken_meanwhile_is_left_to_who_has_it(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False) as server:
        port = urlsplit(server.url).port
    with socket.create_server(("127.0.0.1", port or 0)), EmbeddedServer(folder, fsync=False) as server:
        assert urlsplit(server.url).port != port
        assert ask(server.url, "SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with EmbeddedServer(folder, fsync=False):
        pass
    (folder / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedServerError, match="no_such_setting"):
        EmbeddedServer(folder, fsync=False).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_runs_it_as_an_ordinary_user_behind_a_private_folder(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    modes = [parent.stat().st_mode for parent in (private, *private.parents)]
    with EmbeddedServer(private / "postgresql", fsync=False) as server:
        postmaster = postmaster_of(private / "postgresql")
        assert Path(f"/proc/{postmaster}").stat().st_uid != 0
        assert ask(server.url, "SELECT 1") == [(1,)]
        ask(server.url, "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'")
    assert [parent.stat().st_mode for parent in (private, *private.parents)] == modes


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_can_name_the_user_and_the_data_stay_with_that_user(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "named", fsync=False, user="nobody"):
        pass
    data = tmp_path / "named" / "data"
    assert data.owner() == "nobody"
    with EmbeddedServer(tmp_path / "named", fsync=False):
        assert Path(f"/proc/{postmaster_of(tmp_path / 'named')}").owner() == "nobody"
