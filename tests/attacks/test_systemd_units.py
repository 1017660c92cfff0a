"""What a process of ours may do on its host, when it is no longer ours: as little as it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
NAMES = sorted(path.name for path in UNITS.glob("*.service"))
MOST_EXPOSED = 2.5
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(
    ANALYZE is None, reason="systemd-analyze is not on this machine: nothing measures the units"
)
@pytest.mark.parametrize("name", NAMES)
def test_every_unit_is_barely_exposed(name: str, tmp_path: Path) -> None:
    assert ANALYZE is not None
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    instance = name.replace("@.", "@1.")
    command = [ANALYZE, "security", "--offline=true", f"--root={tmp_path}", "--no-pager", instance]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", said.stdout)
    assert exposure, said.stdout + said.stderr
    assert float(exposure[1]) <= MOST_EXPOSED, said.stdout


def test_no_core_is_ever_dumped() -> None:
    assert settings("LimitCORE") == ["0"]


def test_children_that_render_may_lower_their_priority() -> None:
    """`os.nice` is setpriority, which the group that is refused holds; a later line takes it out again."""
    filters = settings("SystemCallFilter")
    assert filters.index("setpriority") > filters.index("~@privileged @resources")


@pytest.mark.parametrize("name", NAMES)
def test_the_owners_login_is_told_to_nobody_but_who_migrates(name: str) -> None:
    files = re.findall(r"^EnvironmentFile=-?(.*)$", (UNITS / name).read_text(), re.MULTILINE)
    assert files == (["/etc/postledger/owner"] if "migrate" in name else [])


def settings(name: str) -> list[str]:
    text = (UNITS / "postledger-.service.d" / "hardening.conf").read_text()
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read_string(text)
    assert parser.sections() == ["Service"]
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)
