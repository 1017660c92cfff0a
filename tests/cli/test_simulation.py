"""A simulation from the command line."""

from __future__ import annotations

from tests.cli.command_line import Cli


def test_days_fill_up_and_nothing_is_violated(cli: Cli) -> None:
    result = cli.json(
        "simulate", "--recipients", 500, "--servers", 2, "--daily-limit", 100, "--window", "08:00-20:00",
        "--timezone", "America/New_York", "--start", "2026-03-06T07:00",
    )  # fmt: skip
    assert result["days"] == [
        {"date": "2026-03-06", "sent": 200},
        {"date": "2026-03-07", "sent": 200},
        {"date": "2026-03-08", "sent": 100},
    ]
    assert (result["limit_violations"], result["window_violations"]) == (0, 0)
    assert cli.json("campaign", "list") == [], "a simulation leaves the real database alone"


def test_what_cannot_be_simulated_is_a_usage_error(cli: Cli) -> None:
    assert "no time zone" in cli.error("simulate", "--timezone", "Mars/Olympus", exit_code=2)
    assert cli.error("simulate", "--failure-rate", "2", exit_code=2)
