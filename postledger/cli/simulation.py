"""`postledger simulate`: days of sending in seconds, with the real plan, log and projections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from postledger.cli.context import Settings, pass_settings
from postledger.cli.output import json_option, print_json, print_rows
from postledger.cli.policy import Weekdays
from postledger.cli.values import Moment, Seconds, instant
from postledger.session import open_database
from postledger.terminal import write


class Timezone(click.ParamType[str]):
    name = "timezone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return ZoneInfo(str(value)).key
        except (ValueError, OSError, KeyError):
            self.fail(f"{value!r} is no time zone such as Europe/Berlin", param, ctx)


_OPTIONS = (
    click.option("--recipients", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True),
    click.option("--servers", type=click.IntRange(1, 1000), default=30, show_default=True),
    click.option(
        "--daily-limit", type=click.IntRange(0), default=1000, show_default=True, help="Per server."
    ),
    click.option("--window", default="", help="HH:MM-HH:MM[,…]; overnight is fine. Default: always."),
    click.option("--weekdays", type=Weekdays(), default="mon-sun", show_default=True),
    click.option("--timezone", type=Timezone(), default="UTC", show_default=True),
    click.option("--start", type=Moment(), help="Local time, such as 2026-03-06T07:00. Default: now."),
    click.option(
        "--sliding-rate", type=click.IntRange(1), help="At most this many per server in any period of …"
    ),
    click.option(
        "--sliding-duration", type=Seconds(), default="1h", show_default=True, help="… this length."
    ),
    click.option(
        "--failure-rate",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        help="Share of attempts that are deferred.",
    ),
    click.option(
        "--speed",
        type=click.IntRange(1),
        default=600,
        show_default=True,
        help="E-mails per minute that one server accepts.",
    ),
    click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random numbers."),
)


def simulation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@simulation_options
@json_option
@pass_settings
def simulate(
    settings: Settings, /, recipients: int, servers: int, daily_limit: int, window: str, weekdays: list[int],
    timezone: str, start: datetime | None, sliding_rate: int | None, sliding_duration: int,
    failure_rate: float, speed: int, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Send a campaign under a clock that does not wait, in a scratch database, to nobody.

    Prints what goes out on each local day, and how often limits and windows were violated, counted by code
    that does not know the planner. Exit code 1 when they were.
    """
    from postledger.tools.simulate import SimulationOptions
    from postledger.tools.simulate import simulate as run

    options = SimulationOptions(
        recipients=recipients, servers=servers, daily_limit=daily_limit, timezone=timezone,
        start=instant(start or datetime.now(ZoneInfo(timezone)), timezone), window=window,
        weekdays=tuple(weekdays), sliding=(sliding_rate, sliding_duration) if sliding_rate else None,
        failure_rate=failure_rate, speed=speed, seed=seed,
    )  # fmt: skip
    with open_database(settings.config()) as database:
        found = run(database, options)
    result = {**asdict(found), "days": [day._asdict() for day in found.days]}
    violations = result["limit_violations"] + result["window_violations"]
    if as_json:
        print_json(result)
    else:
        print_rows(["day", "sent"], [(day["date"], day["sent"]) for day in result["days"]])
        write(f"violations: {result['limit_violations']} of limits, {result['window_violations']} of windows")
    if violations:
        raise click.ClickException("limits or windows were violated")
