"""`postledger campaign start`, `schedule`, `unschedule`, `pause`, `resume`, `cancel`: its course."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click

from domain.campaign.campaign import Campaign
from postledger.cli.campaigns.campaign_reports import report
from postledger.cli.campaigns.estimate import keep_estimate
from postledger.cli.campaigns.preview import refuse_faulty
from postledger.cli.context import ACTOR, Settings, pass_settings
from postledger.cli.lookup import campaign_number
from postledger.cli.output import json_option
from postledger.cli.values import Moment, instant
from postledger.session import Session
from storage.people.audience_size import audience_size

reason_option = click.option("--reason", default="", help="Why, for the record.")


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.option("--skip-check", is_flag=True, help="Start although the templates do not work for everybody.")
@json_option
@pass_settings
def start(settings: Settings, /, name: str, skip_check: bool, as_json: bool) -> None:
    """Start now. First the templates are tried with some of the recipients."""
    with settings.session() as session:
        number = campaign_number(session, name)
        if not skip_check:
            refuse_faulty(session, number)
        aggregate = session.application.campaign(number)
        _refuse_empty_audience(session, aggregate)
        if not aggregate.is_started():
            keep_estimate(session, number)
        session.application.start(number, by=ACTOR)
        report(session, number, as_json)


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@click.argument("send_at", type=Moment())
@json_option
@pass_settings
def schedule(settings: Settings, /, name: str, send_at: datetime, as_json: bool) -> None:
    """Start by itself at SEND_AT, such as 2026-03-06T07:00 (in the policy's time zone)."""
    _steer(settings, name, as_json, lambda session, number: begin_at(session, number, send_at))


def begin_at(session: Session, number: int, send_at: datetime) -> None:
    refuse_faulty(session, number)
    at = instant(send_at, session.application.policy().timezone)
    session.application.schedule(number, send_at=at, by=ACTOR)
    keep_estimate(session, number)


def _refuse_empty_audience(session: Session, aggregate: Campaign) -> None:
    if aggregate.is_started():
        return
    with session.pool.transaction() as cursor:
        if audience_size(cursor, aggregate.lists) == 0:
            raise click.ClickException("nobody on the campaign's lists can be mailed; see `postledger lists`")


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@json_option
@pass_settings
def unschedule(settings: Settings, /, name: str, as_json: bool) -> None:
    """Make a scheduled campaign a draft again."""
    _steer(settings, name, as_json, lambda session, number: session.application.unschedule(number, by=ACTOR))


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@reason_option
@json_option
@pass_settings
def pause(settings: Settings, /, name: str, reason: str, as_json: bool) -> None:
    """Send nothing more until resumed; e-mails in flight finish."""
    _steer(settings, name, as_json, lambda s, n: s.application.pause(n, reason=reason, by=ACTOR))


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@reason_option
@json_option
@pass_settings
def resume(settings: Settings, /, name: str, reason: str, as_json: bool) -> None:
    """Go on with a paused campaign."""
    _steer(settings, name, as_json, lambda s, n: s.application.resume(n, reason=reason, by=ACTOR))


@click.command()
@click.argument("name", metavar="CAMPAIGN")
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_settings
def cancel(settings: Settings, /, name: str, reason: str, yes: bool, as_json: bool) -> None:
    """Cancel for good everything that is not sent yet."""

    def do(session: Session, number: int) -> None:
        if not yes:
            click.confirm(f"Cancel campaign {number}? What is unsent will not be sent.", abort=True, err=True)
        session.application.cancel(number, reason=reason, by=ACTOR)

    _steer(settings, name, as_json, do)


def _steer(settings: Settings, name: str, as_json: bool, do: Callable[[Session, int], object]) -> None:
    with settings.session() as session:
        number = campaign_number(session, name)
        do(session, number)
        report(session, number, as_json)
