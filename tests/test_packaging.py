"""What `pip install` brings is all that the program needs, and no more."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.starts_processes

ROOT = Path(__file__).parent.parent
PACKAGES = ("domain", "mail", "storage", "projections", "application", "processor", "web", "postledger")
BESIDE = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


def shipped_files() -> set[str]:
    """All files of the packages in the source tree, the interpreter's leftovers aside."""
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, source)
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([sys.executable, *command, "-w", str(folder), str(source)], check=True)
    return next(folder.glob("postledger-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content alone, unpacked as pip does."""
    folder = tmp_path_factory.mktemp("installed")
    command = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([sys.executable, *command, str(wheel)], check=True)
    return folder


def run_installed(installed: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=installed.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        content = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert content == shipped_files()


def test_the_installed_command_runs_away_from_the_source(installed: Path) -> None:
    command = installed / "bin" / "postledger"
    assert "Usage: postledger" in run_installed(installed, str(command), "--help")
    where = run_installed(installed, "-c", "import postledger; print(postledger.__file__)")
    assert Path(where.strip()).is_relative_to(installed)


def test_the_installed_package_migrates_a_database(installed: Path, empty_database_url: str) -> None:
    program = "import sys; from storage.migrate import migrate; print(*migrate(sys.argv[1]))"
    applied = run_installed(installed, "-c", program, empty_database_url).split()
    assert applied == sorted(path.name for path in (ROOT / "storage" / "migrations").glob("*.sql"))


def requirements(section: str, option: str) -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config[section][option].split("\n")
    return {normal(re.split(r"[ <>=!~;\[]", line)[0]) for line in lines if line.strip()}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def imported(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module.split(".")[0])
    return modules


def test_every_imported_package_is_declared() -> None:
    modules = {module for file in shipped_files() if file.endswith(".py") for module in imported(ROOT / file)}
    foreign = modules - set(sys.stdlib_module_names) - set(PACKAGES)
    distributions = packages_distributions()
    declared = requirements("options", "install_requires")
    undeclared = {
        module
        for module in foreign
        if not declared & {normal(name) for name in distributions.get(module, [])}
    }
    assert undeclared == set()
