"""`postledger campaign start`, `schedule`, `unschedule`, `pause`, `resume`, `cancel`: its course."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click

from application.campaigns.campaigns import Campaigns
from application.policy import Policy
from postledger.cli.campaigns.reports import report
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import campaign_number
from postledger.cli.output import json_option
from postledger.cli.values import Moment, instant
from postledger.session import Session

reason_option = click.option("--reason", default="", help="Why, for the record.")


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--skip-check", is_flag=True, help="Start even if the message cannot be made for everybody.")
@json_option
@pass_settings
def start(settings: Settings, /, name: str, skip_check: bool, as_json: bool) -> None:
    """Start now. First the templates are tried with some of the recipients."""
    _steer(settings, name, as_json, lambda campaigns, n: campaigns.start(n, even_faulty=skip_check, by=ACTOR))


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.argument("send_at", type=Moment())
@json_option
@pass_settings
def schedule(settings: Settings, /, name: str, send_at: datetime, as_json: bool) -> None:
    """Start by itself at SEND_AT, such as 2026-03-06T07:00 (in the policy's time zone)."""
    with settings.session() as session:
        number = campaign_number(session, name)
        schedule_at(session, number, send_at)
        report(session, number, as_json)


def schedule_at(session: Session, number: int, send_at: datetime) -> None:
    at = instant(send_at, Policy(session).in_force().timezone)
    Campaigns(session).schedule(number, at, by=ACTOR)


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@json_option
@pass_settings
def unschedule(settings: Settings, /, name: str, as_json: bool) -> None:
    """Make a scheduled campaign a draft again."""
    _steer(settings, name, as_json, lambda campaigns, n: campaigns.unschedule(n, by=ACTOR))


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@reason_option
@json_option
@pass_settings
def pause(settings: Settings, /, name: str, reason: str, as_json: bool) -> None:
    """Send nothing more until resumed; e-mails in flight finish."""
    _steer(settings, name, as_json, lambda campaigns, n: campaigns.pause(n, reason, by=ACTOR))


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@reason_option
@json_option
@pass_settings
def resume(settings: Settings, /, name: str, reason: str, as_json: bool) -> None:
    """Go on with a paused campaign."""
    _steer(settings, name, as_json, lambda campaigns, n: campaigns.resume(n, reason, by=ACTOR))


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@pass_settings
def cancel(settings: Settings, /, name: str, reason: str, yes: bool, as_json: bool) -> None:
    """Cancel for good everything that is not sent yet."""

    def do(campaigns: Campaigns, number: int) -> None:
        if not yes:
            click.confirm(f"Cancel campaign {number}? Unsent e-mails will not be sent.", abort=True, err=True)
        campaigns.cancel(number, reason, by=ACTOR)

    _steer(settings, name, as_json, do)


def _steer(settings: Settings, name: str, as_json: bool, do: Callable[[Campaigns, int], object]) -> None:
    with settings.session() as session:
        number = campaign_number(session, name)
        do(Campaigns(session), number)
        report(session, number, as_json)
