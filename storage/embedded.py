"""A PostgreSQL server of one's own, for development, demonstrations and small installations.

What a folder has: `data` (PostgreSQL's), `url` (how to connect, with the password; 0600), `lock` (held
while a server runs on it) and `server.log`. The server listens on loopback TCP only, wants its random
password, and ends with the process that started it, even a killed one. Data are never deleted.

Started as root, PostgreSQL runs as an ordinary user, as it insists on. That user may be unable to enter
the folder (a checkout under /root, say), so it is handed the data folder as an open descriptor and
reaches it as /proc/self/fd/N: no mode of any parent folder is changed and no user is created.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import psycopg2

from storage import postgres_binaries

NAME = "postledger"
LAUNCH = str(Path(__file__).with_name("launch.py"))
MOMENT = 0.02
START_LIMIT = 300.0
JOIN_LIMIT = 60.0
STOP_LIMIT = 15.0
LOG_LIMIT = 10_000_000
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
WITHOUT_FSYNC = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedServerError(Exception):
    """The server cannot be started or joined; the text says why and what to do."""


class EmbeddedServer:
    """A PostgreSQL server on `folder`; started, or joined when another process already runs it.

    `user` names who runs PostgreSQL when this process is root (default: the owner of data that are there,
    else `postgres`, else `nobody`). `binaries` is a folder with PostgreSQL's programs, found if not given.
    `fsync=False` is for tests only: a crash of the machine then loses everything.
    """

    def __init__(
        self, folder: Path, *, fsync: bool = True, binaries: Path | None = None, user: str | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.url = ""
        self.joined = False
        self._fsync = fsync
        self._wanted = binaries
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether the server that this object started still runs."""
        return self._process is not None and not self._ended.is_set()

    def start(self) -> None:
        """Start the server or join the one that runs. Sets `url`. Raises EmbeddedServerError."""
        lock = self._lock_or_join()
        if lock is None:
            self.joined = True
            return
        try:
            self._own(lock)
        except postgres_binaries.NoBinaries as error:
            raise EmbeddedServerError(str(error)) from error
        finally:
            os.close(
                lock
            )  # from here on the server itself holds it, for as long as any of its processes lives

    def close(self) -> None:
        """Stop what was started, within about 15 seconds; a joined server is left alone."""
        if self._process is None:
            return
        for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, at once
            if self._ended.is_set():
                break
            self._process.send_signal(sign)
            self._ended.wait(STOP_LIMIT / 3 * (2 if sign == signal.SIGINT else 0.5))
        self._process = None

    def _lock_or_join(self) -> int | None:
        """The locked descriptor, or None once a server that someone else runs has answered."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as error:
            raise EmbeddedServerError(f"{self.folder} belongs to another user: {error}") from error
        deadline = time.monotonic() + JOIN_LIMIT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                url = self._recorded_url()
                if url and _answers(url):
                    os.close(lock)
                    self.url = url
                    return None
            else:
                return lock
            if time.monotonic() > deadline:
                os.close(lock)
                raise EmbeddedServerError(
                    f"another process holds {self.folder / 'lock'}, but its server does not answer"
                )
            time.sleep(MOMENT)

    def _recorded_url(self) -> str | None:
        try:
            return (self.folder / "url").read_text().strip() or None
        except FileNotFoundError:
            return None

    def _own(self, lock: int) -> None:
        account = self._account()
        binaries = postgres_binaries.find(self._wanted, for_another_user=account is not None)
        password, port = self._credentials()
        if not self.data.exists():
            self._initialise(binaries, account, password)
        self._refuse_other_major(binaries.major)
        self._clear_stale_pid_file()
        for attempt in range(3):
            url = f"postgresql://{NAME}:{password}@127.0.0.1:{_free_port(port if attempt == 0 else 0)}/{NAME}"
            self._write_url(url)
            if self._run(binaries, account, url, lock):
                self.url = url
                return
        raise EmbeddedServerError(f"PostgreSQL does not start:\n{self._log_tail()}")

    def _account(self) -> pwd.struct_passwd | None:
        """Who runs PostgreSQL; None is whoever runs this process."""
        if os.geteuid() != 0:
            return None
        if sys.platform != "linux":
            raise EmbeddedServerError("PostgreSQL does not run as root: start as an ordinary user")
        if self._user is None and self.data.exists() and self.data.stat().st_uid != 0:
            return pwd.getpwuid(self.data.stat().st_uid)
        for name in (self._user,) if self._user else ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise EmbeddedServerError("PostgreSQL does not run as root, and there is no user to run it: name one")

    def _credentials(self) -> tuple[str, int]:
        """The password and the last port; a new password only while there are no data that need the old one."""
        url = self._recorded_url()
        if url:
            parts = urlsplit(url)
            return parts.password or "", parts.port or 0
        if self.data.exists():
            raise EmbeddedServerError(
                f"{self.data} is there, but {self.folder / 'url'} with its password is gone"
            )
        password = secrets.token_urlsafe(24)
        self._write_url(f"postgresql://{NAME}:{password}@127.0.0.1:1/{NAME}")
        return password, 0

    def _write_url(self, url: str) -> None:
        descriptor, path = tempfile.mkstemp(dir=self.folder, prefix="url.")  # mkstemp makes it 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(url + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(path).rename(self.folder / "url")

    def _initialise(
        self, binaries: postgres_binaries.Binaries, account: pwd.struct_passwd | None, password: str
    ) -> None:
        unfinished = self.folder / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)  # a start was killed before any server ran on it
        unfinished.mkdir(mode=0o700)
        if account:
            os.chown(unfinished, account.pw_uid, account.pw_gid)
        with tempfile.TemporaryFile() as secret, _Handed(unfinished, account) as place:
            secret.write(password.encode())
            secret.seek(0)
            if account:
                os.fchown(secret.fileno(), account.pw_uid, account.pw_gid)
            utf8 = (
                ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
                if binaries.major >= 17
                else ["--lc-ctype=C.UTF-8"]
            )
            command = [
                binaries.initdb, "-D", place.path, "-U", NAME, "--auth=scram-sha-256",
                f"--pwfile=/dev/fd/{secret.fileno()}", "--encoding=UTF8", "--locale=C", *utf8, "--no-instructions",
                *([] if self._fsync else ["--no-sync"]),
            ]  # fmt: skip
            self._launch(command, account, [secret.fileno(), *place.descriptors])
            self._ended.wait()
        if self._process is None or self._process.returncode != 0:
            raise EmbeddedServerError(f"initdb failed:\n{self._log_tail()}")
        unfinished.rename(self.data)

    def _refuse_other_major(self, major: int) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(major):
            raise EmbeddedServerError(
                f"{self.data} was made by PostgreSQL {made_by}, and this is PostgreSQL {major}. Either start with "
                f"PG_BIN=<folder of the programs of PostgreSQL {made_by}>, or move the data over: start that way "
                f"once more, `pg_dump` the database, start on an empty folder and load the dump there. "
                "Nothing was changed."
            )

    def _clear_stale_pid_file(self) -> None:
        """Remove what a killed server left, which PostgreSQL takes for a running one as long as its process
        is an unreaped zombie or its number was given to another program. Ours all hold the lock, so a pid
        that is really running on the data is of someone who started it by hand."""
        path = self.data / "postmaster.pid"
        if not path.exists() or sys.platform != "linux":
            return
        pid = int(path.read_text().split("\n", 1)[0])
        try:
            runs_here = Path(f"/proc/{pid}/cwd").samefile(self.data)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            runs_here = False  # ended, a zombie, or another user's program
        if runs_here:
            raise EmbeddedServerError(
                f"process {pid} runs on {self.data}, started by other means: stop it first"
            )
        path.unlink()

    def _run(
        self, binaries: postgres_binaries.Binaries, account: pwd.struct_passwd | None, url: str, lock: int
    ) -> bool:
        settings = {**SETTINGS, "port": str(urlsplit(url).port), **({} if self._fsync else WITHOUT_FSYNC)}
        with _Handed(self.data, account) as place:
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            self._launch([binaries.postgres, "-D", place.path, *options], account, [lock, *place.descriptors])
        deadline = time.monotonic() + START_LIMIT
        while not self._ended.wait(MOMENT):
            if _answers(url, create=True):
                return True
            if time.monotonic() > deadline:
                self.close()
                raise EmbeddedServerError(f"PostgreSQL does not answer:\n{self._log_tail()}")
        return False

    def _launch(self, command: list[str], account: pwd.struct_passwd | None, descriptors: list[int]) -> None:
        """Spawn from a thread that lives until the program ends: "the parent's death" is that of the
        thread that spawned, and the same thread reaps it."""
        log = self.folder / "server.log"
        ids = (account.pw_uid, account.pw_gid) if account else (-1, -1)
        launch = [sys.executable, "-I", "-S", LAUNCH, str(ids[0]), str(ids[1]), str(os.getpid()), *command]
        mode = "wb" if log.exists() and log.stat().st_size > LOG_LIMIT else "ab"
        spawned: list[subprocess.Popen[bytes] | OSError] = []
        known, ended = threading.Event(), threading.Event()

        def keep() -> None:
            try:
                with log.open(mode) as output:
                    process = subprocess.Popen(  # noqa: S603
                        launch, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=descriptors,
                        env={"LC_ALL": "C", "PATH": os.defpath}, cwd="/", start_new_session=True,
                    )  # fmt: skip
                spawned.append(process)
            except OSError as error:
                spawned.append(error)
                return
            finally:
                known.set()
            process.wait()
            ended.set()

        threading.Thread(target=keep, name="embedded PostgreSQL", daemon=True).start()
        known.wait()
        if isinstance(spawned[0], OSError):
            raise EmbeddedServerError(f"{command[0]} could not be started: {spawned[0]}")
        self._process, self._ended = spawned[0], ended

    def _log_tail(self) -> str:
        return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-10:])


class _Handed:
    """A folder as the given user can reach it: as an open descriptor, or by name when no user is given."""

    def __init__(self, folder: Path, account: pwd.struct_passwd | None) -> None:
        self.descriptors = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY)] if account else []
        self.path = f"/proc/self/fd/{self.descriptors[0]}" if account else str(folder)

    def __enter__(self) -> _Handed:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedServerError("no free port on the loopback interface")


def _answers(url: str, *, create: bool = False) -> bool:
    """Whether the server of `url` lets us in; with `create` our database is made when it is not there.

    Scram proves both ways: a stranger on the same port cannot answer without knowing the password.
    """
    at = url.rsplit("/", 1)[0] + "/postgres" if create else url
    try:
        connection = psycopg2.connect(at, connect_timeout=5)
    except psycopg2.OperationalError as error:
        if "password authentication failed" in str(error):
            raise EmbeddedServerError(f"the server refuses the recorded password: {error}") from error
        return False
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,))
            if create and cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{NAME}"')
    finally:
        connection.close()
    return True
