"""The sending policy from the command line."""

from __future__ import annotations

import pytest

from tests.cli.command_line import Cli


def test_what_is_not_given_stays(cli: Cli) -> None:
    cli("policy", "set", "--timezone", "Europe/Berlin", "--windows", "08:00-20:00", "--retry-cap", "2h")
    shown = cli.json("policy", "set", "--weekdays", "mon-fri", "--strategy", "weighted_round_robin")
    assert (shown["timezone"], shown["windows"], shown["weekdays"]) == (
        "Europe/Berlin",
        "08:00-20:00",
        [1, 2, 3, 4, 5],
    )
    assert (shown["retry_cap"], shown["retry_first"], shown["batch"]) == (7200, 60, 5000)
    assert shown == cli.json("policy", "show")
    assert "mon, tue, wed, thu, fri" in cli("policy", "show").output
    assert cli.json("policy", "set", "--windows", "")["windows"] == ""


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ("1-5", [1, 2, 3, 4, 5]),
        ("sat,sun", [6, 7]),
        ("fri-mon", [1, 5, 6, 7]),
        ("Monday, 3", [1, 3]),
        ("7", [7]),
    ],
)
def test_weekdays_are_named_or_numbered(cli: Cli, given: str, days: list[int]) -> None:
    assert cli.json("policy", "set", "--weekdays", given)["weekdays"] == days


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["--timezone", "Mars/Olympus"], 1),
        (["--windows", "08:00-25:00"], 1),
        (["--batch", "0"], 1),
        (["--retry-first", "3h", "--retry-cap", "1h"], 1),
        (["--weekdays", "someday"], 2),
        (["--retry-first", "soon"], 2),
        (["--strategy", "luck"], 2),
        ([], 2),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    cli: Cli, arguments: list[str], exit_code: int
) -> None:
    before = cli.json("policy", "show")
    assert cli.error("policy", "set", *arguments, exit_code=exit_code)
    assert cli.json("policy", "show") == before
