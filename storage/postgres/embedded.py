"""A PostgreSQL server of one's own, for development, demonstrations and small installations.

What a folder has: `data` (PostgreSQL's), `url` (how the owner connects, with the password; 0600), `lock`
(held while a server runs on it) and `server.log`. The server listens on loopback TCP only, wants its random
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
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import psycopg2

from storage.postgres import binaries, loopback, service_login
from storage.postgres.embedded_settings import INITDB_OPTIONS, SETTINGS, WITHOUT_FSYNC
from storage.postgres.kept_process import Handed, KeptProcess, has_a_future

NAME = "postledger"
MOMENT = 0.02
START_LIMIT = 300.0
JOIN_LIMIT = 60.0


class EmbeddedServerError(Exception):
    """The server cannot be started or joined; the text says why and what to do."""


class EmbeddedServer:
    """A PostgreSQL server on `folder`; started, or joined when another process already runs it.

    `user` names who runs PostgreSQL when this process is root (default: the owner of data that are there,
    else `postgres`, else `nobody`). `binaries` is a folder with PostgreSQL's programs, found if not given.
    `fsync=False` is for tests only: a crash of the machine then loses everything.

    `url` is of the owner, who may do everything on the server; `service_url` of the service's login.
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
        self._lock = -1
        self._process: KeptProcess | None = None

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
        return self._process is not None and self._process.running

    def is_alive(self) -> bool:
        """Whether there is a server: ours, or the one that was joined."""
        return loopback.answers(self.url) if self.joined else self.running

    def start(self) -> None:
        """Start the server or join the one that runs. Sets `url`. Raises EmbeddedServerError."""
        self._lock = self._open_lock()
        try:
            self.joined = not self._locked_or_joined()
            if not self.joined:
                self._own()
            self._let_the_service_in()
        except (binaries.NoBinaries, loopback.NotOurServer) as error:
            raise EmbeddedServerError(str(error)) from error
        finally:
            # A server of ours has inherited the lock, and holds it for as long as any of its processes lives.
            os.close(self._lock)

    @property
    def service_url(self) -> str:
        return service_login.service_url(self.url)

    def close(self) -> None:
        """Stop what was started, within 15 seconds; a joined server is left alone."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _open_lock(self) -> int:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as error:
            raise EmbeddedServerError(f"{self.folder} belongs to another user: {error}") from error

    def _locked_or_joined(self) -> bool:
        """True once the lock is ours, False once a server that another process runs has answered."""
        deadline = time.monotonic() + JOIN_LIMIT
        while time.monotonic() < deadline:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                url = self._recorded_url()
                if url and has_a_future(self._lock) and loopback.answers(url):
                    self.url = url
                    return False
                time.sleep(MOMENT)
            else:
                os.ftruncate(self._lock, 0)
                os.pwrite(self._lock, str(os.getpid()).encode(), 0)
                return True
        raise EmbeddedServerError(f"another process holds {self.folder / 'lock'}, and no server answers")

    def _recorded_url(self) -> str | None:
        try:
            return (self.folder / "url").read_text().strip() or None
        except FileNotFoundError:
            return None

    def _own(self) -> None:
        account = self._account()
        programs = binaries.find(self._wanted, for_another_user=account is not None)
        password, port = self._credentials()
        if not self.data.exists():
            self._initialise(programs, account, password)
        self._refuse_other_major(programs.major)
        self._clear_stale_pid_file()
        for attempt in range(3):
            free = loopback.free_port(port if attempt == 0 else 0)
            url = f"postgresql://{NAME}:{password}@127.0.0.1:{free}/{NAME}"
            self._write_url(url)
            if self._run(programs, account, url):
                self.url = url
                return
        raise EmbeddedServerError(f"PostgreSQL does not start:\n{self._log_tail()}")

    def _let_the_service_in(self) -> None:
        """A server of an earlier release has no such login, and may be joined while that release runs it."""
        try:
            if not (self.joined and service_login.may_log_in(self.url)):
                service_login.make(self.url)
        except psycopg2.Error as error:
            raise EmbeddedServerError(f"the service's login cannot be made: {error}") from error

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
        """The password and the last port; a new password only while no data need the old one."""
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
        self, programs: binaries.Binaries, account: pwd.struct_passwd | None, password: str
    ) -> None:
        unfinished = self.folder / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)  # a start was killed before any server ran on it
        unfinished.mkdir(mode=0o700)
        if account:
            os.chown(unfinished, account.pw_uid, account.pw_gid)
        with tempfile.TemporaryFile() as secret, Handed(unfinished, account) as place:
            secret.write(password.encode())
            secret.seek(0)
            if account:
                os.fchown(secret.fileno(), account.pw_uid, account.pw_gid)
            command = [programs.initdb, "-D", place.path, "-U", NAME, f"--pwfile=/dev/fd/{secret.fileno()}"]
            options = [*INITDB_OPTIONS, *programs.utf8_options, *([] if self._fsync else ["--no-sync"])]
            descriptors = [secret.fileno(), *place.descriptors]
            if self._launch([*command, *options], account, descriptors).exit_code() != 0:
                raise EmbeddedServerError(f"initdb failed:\n{self._log_tail()}")
        unfinished.rename(self.data)

    def _refuse_other_major(self, major: int) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(major):
            raise EmbeddedServerError(
                f"{self.data} was made by PostgreSQL {made_by}, and this is PostgreSQL {major}. Either start "
                f"with PG_BIN=<folder of PostgreSQL {made_by}'s programs>, or move the data over: start that "
                "way once more, pg_dump the database, start on an empty folder and load the dump there. "
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

    def _run(self, programs: binaries.Binaries, account: pwd.struct_passwd | None, url: str) -> bool:
        settings = {**SETTINGS, "port": str(urlsplit(url).port), **({} if self._fsync else WITHOUT_FSYNC)}
        with Handed(self.data, account) as place:
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            command = [programs.postgres, "-D", place.path, *options]
            process = self._launch(command, account, place.descriptors)
        deadline = time.monotonic() + START_LIMIT
        try:
            while not process.ended(MOMENT):
                if loopback.answers(url, create=True):
                    self._process = process
                    return True
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(f"PostgreSQL does not answer:\n{self._log_tail()}")
        finally:
            if self._process is None:
                process.stop()
        return False

    def _launch(
        self, command: list[str], account: pwd.struct_passwd | None, descriptors: list[int]
    ) -> KeptProcess:
        try:
            return KeptProcess(command, account, [self._lock, *descriptors], self.folder / "server.log")
        except OSError as error:
            raise EmbeddedServerError(f"{command[0]} could not be started: {error}") from error

    def _log_tail(self) -> str:
        return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-10:])
