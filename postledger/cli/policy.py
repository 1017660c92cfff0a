"""`postledger policy …`: when e-mail may go out, how failures are tried again, how the processor works."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import click

from application.policy import Policy
from domain.capacity.plan import Strategy
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.output import choice, json_option, print_fields, print_json
from postledger.cli.values import Seconds
from postledger.session import Session

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Weekdays(click.ParamType[list[int]]):
    """mon-fri, sat,sun or 1-5: as ISO numbers."""

    name = "weekdays"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        days: set[int] = set()
        for part in value.lower().split(","):
            found = re.fullmatch(r"\s*(\w+)\s*(?:-\s*(\w+)\s*)?", part)
            if not found:
                self.fail(f"{value!r} is not like mon-fri or 1,3,5", param, ctx)
            first = self._day(found[1], param, ctx)
            last = self._day(found[2], param, ctx) if found[2] else first
            days.update((first + step - 1) % 7 + 1 for step in range((last - first) % 7 + 1))
        return sorted(days)

    def _day(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if text in map(str, range(1, 8)):
            return int(text)
        if text[:3] not in _DAYS:
            self.fail(f"{text!r} is no weekday; use mon to sun, or 1 (Monday) to 7", param, ctx)
        return _DAYS.index(text[:3]) + 1


def dates(_context: click.Context, _option: click.Parameter, value: str | None) -> list[str] | None:
    """Texts alone: whether they are dates is for the policy to say."""
    return None if value is None else [day.strip() for day in value.split(",") if day.strip()]


@click.group("policy")
def policy() -> None:
    """The sending policy, for all campaigns and servers."""


@policy.command()
@json_option
@pass_settings
def show(settings: Settings, /, as_json: bool) -> None:
    """The policy in force."""
    with settings.session() as session:
        _print(session, as_json)


@policy.command("set")
@click.option("--timezone", help="Time zone of days and windows, such as Europe/Berlin.")
@click.option("--windows", help="HH:MM-HH:MM[,…]; overnight is fine; '' for always.")
@click.option("--weekdays", type=Weekdays(), help="mon-fri, or 1-5.")
@click.option("--holidays", callback=dates, help="2026-12-25[,…] on which no window opens; '' for none.")
@click.option("--retry-first", type=Seconds(), help="The first delay after a temporary failure; it doubles.")
@click.option("--retry-cap", type=Seconds(), help="The longest delay.")
@click.option("--retry-attempts", type=int)
@click.option("--retry-hours", type=int, help="Give up after this many hours.")
@click.option(
    "--poll-interval",
    type=Seconds(),
    help="How often the processor checks the queue when nothing wakes it earlier.",
)
@click.option("--batch", type=int, help="Deliveries per planning round.")
@click.option("--strategy", type=choice(Strategy), help="How a server is chosen.")
@click.option(
    "--resend-unknown/--no-resend-unknown", default=None,
    help="Resend unknown deliveries automatically: some may arrive twice.",
)  # fmt: skip
@click.option(
    "--first-suspension", type=Seconds(), help="Initial suspension of a server; it doubles each time."
)
@click.option("--max-suspension", type=Seconds(), help="Longest suspension of a server.")
@click.option("--pause-queue/--resume-queue", "queue_paused", default=None, help="Send nothing at all.")
@click.option("--default-from", help="The From address of servers that are added without one; '' for none.")
@click.option("--public-address", help="Where unsubscribe links lead; '' for the configured public_url.")
@json_option
@pass_settings
def set_(settings: Settings, /, as_json: bool, **options: Any) -> None:
    """Change the policy; what is not given stays. In force within a second, without a restart."""
    changes = {name: value for name, value in options.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change; see --help")
    with settings.session() as session:
        Policy(session).change(changes, by=ACTOR)
        _print(session, as_json)


def _print(session: Session, as_json: bool) -> None:
    values = asdict(Policy(session).in_force())
    values.pop("version")
    if as_json:
        print_json(values)
        return
    shown = {**values, "windows": values["windows"] or "always"}
    shown["holidays"] = ", ".join(values["holidays"]) or "none"
    shown["default_from"] = values["default_from"] or "none"
    shown["public_address"] = values["public_address"] or f"as configured: {session.public_url}"
    shown["weekdays"] = ", ".join(_DAYS[day - 1] for day in values["weekdays"])
    print_fields(shown)
