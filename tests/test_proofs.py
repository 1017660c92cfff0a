"""The command that proves: what can be asked of it, and that its figures say what holds."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from proofs.attacks.run import NAMES
from proofs.finding import Finding
from tests.installation import ROOT


def test_every_attack_is_there_and_says_what_it_is_about() -> None:
    for name in NAMES:
        attack = importlib.import_module(f"proofs.attacks.{name}")
        assert attack.__doc__
        assert callable(attack.attack)


def test_every_attack_is_named_in_the_documents() -> None:
    told = (ROOT / "docs" / "security.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in told] == []


@pytest.mark.parametrize(
    ("bound", "value", "is_ok"),
    [("at most", 2, True), ("at most", 3, False), ("at least", 2, True), ("at least", 1, False)],
)
def test_a_figure_beyond_its_reach_is_not_ok(bound: str, value: float, is_ok: bool) -> None:
    finding = Finding("found", value, "places", 2, bound)  # type: ignore[arg-type]
    assert finding.as_dict()["ok"] is is_ok


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["attacks", "nothing"]])
def test_what_is_not_there_is_refused_with_what_is(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proofs", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "attacks" in done.stderr
