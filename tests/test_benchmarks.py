"""That `bin/bench` can run what it names; the measuring itself takes minutes and is not tested here."""

from __future__ import annotations

import importlib
import json

import pytest

from benchmarks import __main__ as benchmarks

pytestmark = pytest.mark.starts_processes


@pytest.mark.parametrize("name", benchmarks.NAMES)
def test_every_benchmark_that_is_named_can_be_run(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").run)


def test_a_figure_is_one_line_of_json_with_its_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmarks.main(["compose"]) in (0, 1)
    (line,) = capsys.readouterr().out.splitlines()
    assert {"name", "value", "unit", "baseline", "ratio", "reach", "ok"} <= json.loads(line).keys()


def test_a_benchmark_that_there_is_not_is_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmarks.main(["speed"]) == 2
    assert "there is no benchmark speed; there are compose, " in capsys.readouterr().err
